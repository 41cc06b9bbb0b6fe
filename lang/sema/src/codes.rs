//! The codes of names (2xxx), types (3xxx) and evaluation (4xxx); each has a page in docs/diagnostics.

use dax_core::Code;

macro_rules! codes {
    ($($name:ident = $level:ident $number:literal $summary:literal;)*) => {
        $(#[doc = concat!("DAX", stringify!($number), ": ", $summary, ".")]
        pub const $name: Code = Code::$level($number, $summary);)*
        /// Every code of this crate.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    DUPLICATE = error 2001 "the name is taken";
    UNKNOWN_NAME = error 2002 "unknown name";
    UNKNOWN_TYPE = error 2003 "unknown type";
    UNKNOWN_ITEM = error 2004 "unknown kind of item";
    MALFORMED_ITEM = error 2005 "the item has the wrong form";
    UNKNOWN_FIELD = error 2006 "unknown field";
    UNKNOWN_COMMAND = error 2007 "unknown command";
    CIRCULAR_DEFINITION = error 2008 "a definition uses itself";
    NOT_IMPORTED = error 2009 "the module is not imported";
    RESERVED = error 2010 "the word is taken by the language";
    MISMATCH = error 3001 "the type does not fit";
    OPERAND_MISMATCH = error 3002 "operand types differ";
    MISSING_FIELD = error 3003 "a field is missing";
    WRONG_ARGUMENTS = error 3004 "the arguments do not fit";
    NOT_CALLABLE = error 3005 "this is no function";
    NO_MEMBER = error 3006 "no such member";
    NOT_INDEXABLE = error 3007 "this cannot be indexed";
    REFINEMENT = error 3008 "the value is outside its type";
    SECRET_EXPOSED = error 3009 "a secret would be exposed";
    COMMAND_FORM = error 3010 "the command has the wrong form";
    FIELD_FORM = error 3011 "this is written as a command, but is a field";
    NOT_ITERABLE = error 3012 "this cannot be gone through";
    BAD_TYPE = error 3013 "the type is malformed";
    BAD_QUERY = error 3014 "the metric query is wrong";
    BAD_CONDITION = error 3015 "the condition is wrong";
    SECRET_COMPARED = error 3016 "a secret cannot be compared";
    SECRET_EXPORTED = error 3017 "a secret cannot leave through a function";
    SECRET_IN_MESSAGE = error 3018 "a secret cannot stand in a message";
    PHASE = error 3019 "the value is known too late";
    UNKNOWN_TAG = error 3020 "this is none of the alternatives";
    MAY_BE_ABSENT = error 3021 "the value may be absent";
    CONFLICT = error 4001 "two values of the same strength";
    MISSING_PARAM = error 4002 "a parameter has no value";
    BAD_PARAM = error 4003 "a parameter's value does not fit";
    ARITHMETIC = error 4004 "the arithmetic has no result";
    NO_KEY = error 4005 "there is no such key";
    CIRCULAR_SERVICES = error 4006 "services need each other in a circle";
    OUT_OF_FUEL = error 4007 "the evaluation is too large";
    BOUND_TWICE = error 4008 "the service is bound twice";
    NOT_BOUND = error 4009 "the service is not bound here";
    BAD_REGEX = error 4010 "the regular expression is malformed";
    NEED_NOT_BOUND = error 4011 "a needed service is not bound here";
    NOT_COMPUTED = error 4012 "the service could not be computed";
    SEALED = error 4013 "the value is sealed";
    BAD_DATA = error 4014 "the data does not fit";
    BAD_ARGUMENT = error 4015 "the function has no result for this";
    KEY_TWICE = error 4016 "two elements have the same key";
    NO_PORT_TO_PROBE = error 4017 "the health check has no port";
    POLICY_DENIED = error 4020 "a policy forbids this";
    POLICY_WARNED = warning 4021 "a policy warns of this";
    ASSERTION_FAILED = error 4022 "the assertion does not hold";
    EXPECTATION_FAILED = error 4023 "the expected finding did not occur";
    NO_SAMPLE = error 4024 "no value of the type could be made up";
}
