//! The codes of lint (9xxx); each has a page in docs/diagnostics.

use dax_core::Code;

macro_rules! codes {
    ($($name:ident = $number:literal $summary:literal;)*) => {
        $(#[doc = concat!("DAX", stringify!($number), ": ", $summary, ".")]
        pub(crate) const $name: Code = Code::warning($number, $summary);)*
        /// Every code of this crate.
        pub const CODES: &[Code] = &[$($name),*];
    };
}

codes! {
    UNUSED_LET = 9001 "the value is never used";
    UNUSED_PARAM = 9002 "the parameter is never used";
    UNUSED_IMPORT = 9003 "the import is never used";
    UNUSED_FN = 9004 "the function is never called";
    UNUSED_TYPE = 9005 "the type is never used";
    UNUSED_SECRET = 9006 "the secret is never used";
    UNUSED_STRATEGY = 9007 "the strategy is never used";
    UNUSED_PROVIDER = 9008 "nothing is bound to the provider";
    UNBOUND_SERVICE = 9009 "the service runs nowhere";
    SHADOWED = 9010 "the name hides another";
    UNPINNED_IMAGE = 9011 "the image is not pinned";
    NO_HEALTH = 9012 "the service has no health check";
    PLAIN_SECRET = 9013 "this looks like a secret";
    BOOL_COMPARISON = 9014 "a truth value is compared with a constant";
    NEGATED_COMPARISON = 9015 "a comparison is negated";
    CONSTANT_CONDITION = 9016 "the condition is always the same";
    UNDOCUMENTED = 9017 "the parameter is not documented";
    SINGLE_REPLICA = 9018 "one replica in an environment that others lead to";
    BLIND_CANARY = 9019 "the canary is not watched";
    SUDDEN_ROLLOUT = 9020 "everything changes at once";
    LOW_PORT = 9021 "the port needs privileges";
    PLAIN_HTTP = 9022 "the connection is not encrypted";
    EMPTY_TEST = 9023 "the test asserts nothing";
    REPEATED_ELEMENT = 9024 "the list says the same twice";
    NOT_A_DNS_NAME = 9025 "the name is no DNS label";
    DEPRECATED = 9026 "this is deprecated";
    OPEN_PATTERN = 9027 "the pattern matches parts of the text";
    NO_LIMITS = 9028 "the service has no limits";
    DEFAULT_IN_SET = 9029 "a default of an environment gives way to the service";
    BAD_ALLOW = 9030 "the permission is wrong";
    SAME_BRANCHES = 9031 "both branches are the same";
    HIDDEN = 9032 "a character is not seen";
}
