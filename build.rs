//! Makes the linker accept the Node-API symbols, which the host process defines.

fn main() {
    napi_build::setup();
}
