//! What keeps features that exist for tests out of builds that are shipped.

/// Fails the build with a clear error when a feature that exists for tests is on in a build without debug assertions,
/// unless the environment says `HANDFAST_TEST_BUILD=1`. Cargo switches a feature on for every package of one build when
/// one of them asks for it, so that a release of the whole workspace would carry what only its tests want.
///
/// Call it in the module that the feature switches on.
#[doc(hidden)]
#[macro_export]
macro_rules! test_builds_only {
    ($feature:literal) => {
        #[cfg(not(debug_assertions))]
        const _: () = assert!(
            option_env!("HANDFAST_TEST_BUILD").is_some(),
            concat!(
                "the feature `",
                $feature,
                "` is for tests, and this is a release build: build each program by itself \
                 (`cargo build --release --package NAME`), or set HANDFAST_TEST_BUILD=1 if this build is for tests"
            )
        );
    };
}
