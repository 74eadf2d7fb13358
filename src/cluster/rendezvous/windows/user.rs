//! The user of this process, and pipes that only this user can open. Has all calls of Windows that need `unsafe`.

use std::{
    ffi::c_void,
    io,
    os::windows::io::{AsRawHandle as _, FromRawHandle as _, OwnedHandle},
    ptr,
};

use tokio::net::windows::named_pipe::{NamedPipeClient, NamedPipeServer, ServerOptions};
use windows_sys::{
    Win32::{
        Foundation::{ERROR_SUCCESS, LocalFree},
        Security::{
            Authorization::{
                ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW,
                GetSecurityInfo, SDDL_REVISION_1, SE_KERNEL_OBJECT,
            },
            GetTokenInformation, OWNER_SECURITY_INFORMATION, PSID, SECURITY_ATTRIBUTES,
            SECURITY_MAX_SID_SIZE, TOKEN_QUERY, TOKEN_USER, TokenUser,
        },
        System::Threading::{GetCurrentProcess, OpenProcessToken},
    },
    core::PWSTR,
};

/// A user, as the text of its security identifier.
///
/// This is the user of the process, not the owner of its new objects. If the process has the rights of an
/// administrator, that owner is the group of the administrators.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct User(String);

impl User {
    /// Returns the user of this process.
    ///
    /// # Errors
    ///
    /// If the system returns one.
    pub fn own() -> io::Result<Self> {
        const LENGTH: usize = size_of::<TOKEN_USER>() + SECURITY_MAX_SID_SIZE as usize;
        let token = own_token()?;
        // An array of `u64`, because the structure must be aligned.
        let mut memory = [0_u64; LENGTH.div_ceil(size_of::<u64>())];
        let length = u32::try_from(size_of_val(&memory)).unwrap_or_default();
        let mut needed = 0;
        // SAFETY: the memory has this length, and the pointers are valid during the call.
        #[expect(unsafe_code, reason = "a call of Windows")]
        let is_ok = unsafe {
            let memory = memory.as_mut_ptr().cast();
            GetTokenInformation(token.as_raw_handle(), TokenUser, memory, length, &raw mut needed)
        };
        check(is_ok)?;
        // SAFETY: the memory is aligned, large enough and contains the structure, which points into it.
        #[expect(unsafe_code, reason = "Windows has written a structure")]
        unsafe {
            let user = memory.as_ptr().cast::<TOKEN_USER>().read();
            text_of(user.User.Sid).map(Self)
        }
    }

    /// Creates an instance of a pipe that this user owns and that nobody else can open.
    ///
    /// # Errors
    ///
    /// If the system refuses it.
    pub fn create_pipe(&self, options: &ServerOptions, pipe: &str) -> io::Result<NamedPipeServer> {
        create_pipe(options, pipe, &format!("O:{0}D:P(A;;GA;;;{0})", self.0))
    }

    /// Returns whether this user owns a pipe. Only an administrator can create a pipe that another user owns.
    ///
    /// # Errors
    ///
    /// If the system returns one.
    pub fn owns(&self, pipe: &NamedPipeClient) -> io::Result<bool> {
        let mut owner: PSID = ptr::null_mut();
        let mut descriptor = Local(ptr::null_mut());
        let none = ptr::null_mut();
        // SAFETY: the handle is open, and the pointers are valid during the call or null.
        #[expect(unsafe_code, reason = "a call of Windows")]
        let error = unsafe {
            let handle = pipe.as_raw_handle();
            let which = OWNER_SECURITY_INFORMATION;
            let memory = &raw mut descriptor.0;
            GetSecurityInfo(
                handle,
                SE_KERNEL_OBJECT,
                which,
                &raw mut owner,
                none,
                none.cast(),
                none.cast(),
                memory,
            )
        };
        if error != ERROR_SUCCESS {
            return Err(io::Error::from_raw_os_error(error.cast_signed()));
        }
        if owner.is_null() {
            return Ok(false);
        }
        // SAFETY: the owner is in `descriptor`, which lives until the end of this function.
        #[expect(unsafe_code, reason = "Windows has returned a pointer")]
        let owner = unsafe { text_of(owner)? };
        Ok(owner == self.0)
    }
}

/// Creates an instance of a pipe with a security descriptor, which `access` has as text (SDDL).
fn create_pipe(options: &ServerOptions, pipe: &str, access: &str) -> io::Result<NamedPipeServer> {
    let access: Vec<u16> = access.encode_utf16().chain([0]).collect();
    let mut descriptor = Local(ptr::null_mut());
    // SAFETY: the text ends in 0, and the pointers are valid during the call or null.
    #[expect(unsafe_code, reason = "a call of Windows")]
    let is_ok = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            access.as_ptr(),
            SDDL_REVISION_1,
            &raw mut descriptor.0,
            ptr::null_mut(),
        )
    };
    check(is_ok)?;
    let mut attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or_default(),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    // SAFETY: the attributes and their descriptor live until the end of this function.
    #[expect(unsafe_code, reason = "passes a pointer to Windows")]
    unsafe {
        options.create_with_security_attributes_raw(pipe, (&raw mut attributes).cast())
    }
}

fn own_token() -> io::Result<OwnedHandle> {
    let mut token = ptr::null_mut();
    // SAFETY: the pointer is valid during the call; the handle of the process must not be closed.
    #[expect(unsafe_code, reason = "a call of Windows")]
    let is_ok = unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) };
    check(is_ok)?;
    // SAFETY: the handle is open and belongs to nobody else.
    #[expect(unsafe_code, reason = "Windows has returned a handle")]
    Ok(unsafe { OwnedHandle::from_raw_handle(token) })
}

/// Returns the text of a security identifier.
///
/// # Safety
///
/// The identifier must be valid.
#[expect(unsafe_code, reason = "a pointer of Windows")]
unsafe fn text_of(identifier: PSID) -> io::Result<String> {
    let mut text: PWSTR = ptr::null_mut();
    // SAFETY: the identifier is valid, and the pointer is valid during the call.
    check(unsafe { ConvertSidToStringSidW(identifier, &raw mut text) })?;
    let _memory = Local(text.cast());
    let mut units = Vec::new();
    loop {
        // SAFETY: Windows has written a text that ends in 0, and this position is not after its end.
        match unsafe { text.add(units.len()).read() } {
            0 => return Ok(String::from_utf16_lossy(&units)),
            unit => units.push(unit),
        }
    }
}

fn check(is_ok: i32) -> io::Result<()> {
    if is_ok == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Memory that Windows has allocated, or null.
struct Local(*mut c_void);

impl Drop for Local {
    #[expect(unsafe_code, reason = "a call of Windows")]
    fn drop(&mut self) {
        // SAFETY: nobody else frees the memory, and null is ignored.
        unsafe { LocalFree(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::windows::named_pipe::ClientOptions;
    use windows_sys::Win32::Foundation::ERROR_INVALID_OWNER;

    use super::*;

    /// Administrators own the pipe, and everybody may open it.
    const ADMINISTRATORS: &str = "O:BAD:P(A;;GA;;;WD)";

    fn name(of: &str) -> String {
        format!(r"\\.\pipe\user-{of}-{}", std::process::id())
    }

    #[test]
    fn the_user_of_this_process_is_the_same_each_time() {
        let user = User::own().unwrap();
        assert!(user.0.starts_with("S-1-"), "{user:?}");
        assert_eq!(User::own().unwrap(), user);
    }

    #[tokio::test]
    async fn a_user_owns_its_pipes_and_no_others() {
        let user = User::own().unwrap();
        let options = ServerOptions::new();
        let own = user.create_pipe(&options, &name("own")).unwrap();
        assert!(user.owns(&ClientOptions::new().open(name("own")).unwrap()).unwrap());
        drop(own);
        match create_pipe(&options, &name("other"), ADMINISTRATORS) {
            Ok(_other) => {
                let pipe = ClientOptions::new().open(name("other")).unwrap();
                assert!(!user.owns(&pipe).unwrap());
            }
            // This process may not create objects of that owner.
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(ERROR_INVALID_OWNER.cast_signed()));
            }
        }
    }

    #[tokio::test]
    async fn the_access_of_a_pipe_is_checked() {
        if std::env::var_os("WINEPREFIX").is_some() {
            return; // Wine does not check the access of a pipe.
        }
        let options = ServerOptions::new();
        let pipe = create_pipe(&options, &name("nobody"), "D:P").unwrap();
        let error = ClientOptions::new().open(name("nobody")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let error = options.create(name("nobody")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        drop(pipe);
    }
}
