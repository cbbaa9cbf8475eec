//! One file or folder per face: shapes and mapping only.

pub(crate) mod audit;
pub(crate) mod deltafi;
pub(crate) mod hoody;
pub(crate) mod native;
pub(crate) mod orgs;
pub(crate) mod waldur;
