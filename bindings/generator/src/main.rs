//! Writes the Python, Kotlin and Swift around the library of `handfast-bindings`: the program of `UniFFI`, in the version with
//! which that library was compiled. The two must be the same.

fn main() {
    uniffi::uniffi_bindgen_main();
}
