//! A check that keeps features for tests out of release builds.

/// Fails the build with a clear error when a feature for tests is enabled without debug assertions, unless
/// `HANDFAST_TEST_BUILD=1` is set in the environment. Cargo unites the features of all packages in one build,
/// so a release build of the whole workspace would contain what only its tests need.
///
/// Use this macro in the module that the feature enables.
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
