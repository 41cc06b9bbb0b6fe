//! The codes of names (2xxx), types (3xxx) and evaluation (4xxx); each has a page in docs/diagnostics.

use dax_core::Code;

macro_rules! codes {
    ($($name:ident = $number:literal $summary:literal;)*) => {
        $(#[doc = concat!("DAX", stringify!($number), ": ", $summary, ".")]
        pub const $name: Code = Code::error($number, $summary);)*
        /// Every code of this crate.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    DUPLICATE = 2001 "the name is taken";
    UNKNOWN_NAME = 2002 "unknown name";
    UNKNOWN_TYPE = 2003 "unknown type";
    UNKNOWN_ITEM = 2004 "unknown kind of item";
    MALFORMED_ITEM = 2005 "the item has the wrong form";
    UNKNOWN_FIELD = 2006 "unknown field";
    UNKNOWN_COMMAND = 2007 "unknown command";
    CIRCULAR_DEFINITION = 2008 "a definition uses itself";
    NOT_IMPORTED = 2009 "the module is not imported";
    MISMATCH = 3001 "the type does not fit";
    OPERAND_MISMATCH = 3002 "operand types differ";
    MISSING_FIELD = 3003 "a field is missing";
    WRONG_ARGUMENTS = 3004 "the arguments do not fit";
    NOT_CALLABLE = 3005 "this is no function";
    NO_MEMBER = 3006 "no such member";
    NOT_INDEXABLE = 3007 "this cannot be indexed";
    REFINEMENT = 3008 "the value is outside its type";
    SECRET_EXPOSED = 3009 "a secret would be exposed";
    COMMAND_FORM = 3010 "the command has the wrong form";
    FIELD_FORM = 3011 "this is written as a command, but is a field";
    NOT_ITERABLE = 3012 "this cannot be gone through";
    BAD_TYPE = 3013 "the type is malformed";
    BAD_QUERY = 3014 "the metric query is wrong";
    BAD_CONDITION = 3015 "the condition is wrong";
    CONFLICT = 4001 "two values of the same strength";
    MISSING_PARAM = 4002 "a parameter has no value";
    BAD_PARAM = 4003 "a parameter's value does not fit";
    ARITHMETIC = 4004 "the arithmetic has no result";
    NO_KEY = 4005 "there is no such key";
    CIRCULAR_SERVICES = 4006 "services need each other in a circle";
    OUT_OF_FUEL = 4007 "the evaluation is too large";
    BOUND_TWICE = 4008 "the service is bound twice";
    NOT_BOUND = 4009 "the service is not bound here";
    BAD_REGEX = 4010 "the regular expression is malformed";
    NEED_NOT_BOUND = 4011 "a needed service is not bound here";
    NOT_COMPUTED = 4012 "the service could not be computed";
}
