//! The codes of projects and packages (8xxx); each has a page in docs/diagnostics.

use dax_core::Code;

/// `dax.mod` is malformed. Explained in docs/diagnostics/DAX8001.md.
pub const MANIFEST: Code = Code::error(8001, "dax.mod is malformed");
/// An import that leads nowhere. Explained in docs/diagnostics/DAX8002.md.
pub const NO_MODULE: Code = Code::error(8002, "there is no such module");
/// A file that is no text. Explained in docs/diagnostics/DAX8003.md.
pub const NOT_TEXT: Code = Code::error(8003, "the file is not UTF-8 text");
/// Modules that import each other. Explained in docs/diagnostics/DAX8004.md.
pub const CIRCULAR_IMPORT: Code = Code::error(8004, "modules import each other in a circle");

/// A data file that cannot be read. Explained in docs/diagnostics/DAX8005.md.
pub const BAD_FILE: Code = Code::error(8005, "the data file cannot be read");

/// A package that is not here. Explained in docs/diagnostics/DAX8006.md.
pub const NO_PACKAGE: Code = Code::error(8006, "the package is not here");
/// A package that `dax.lock` does not know. Explained in docs/diagnostics/DAX8007.md.
pub const NOT_LOCKED: Code = Code::error(8007, "the package is not locked");
/// A package that is not what was locked. Explained in docs/diagnostics/DAX8008.md.
pub const TAMPERED: Code = Code::error(8008, "the package was changed");

/// A file that may not or cannot be read. Explained in docs/diagnostics/DAX8009.md.
pub const UNREADABLE: Code = Code::error(8009, "the file cannot be read");

/// Allowed signers that OpenSSH cannot read. Explained in docs/diagnostics/DAX8010.md.
pub const SIGNERS: Code = Code::error(8010, "the allowed signers are malformed");
/// A rule that nobody can satisfy. Explained in docs/diagnostics/DAX8011.md.
pub const NOBODY: Code = Code::warning(8011, "nobody can approve this");

/// Every code of this crate.
pub const CODES: &[Code] = &[
    MANIFEST,
    NO_MODULE,
    NOT_TEXT,
    CIRCULAR_IMPORT,
    BAD_FILE,
    NO_PACKAGE,
    NOT_LOCKED,
    TAMPERED,
    UNREADABLE,
    SIGNERS,
    NOBODY,
];
