//! Whether a file can be a module of this machine at all, by the header of its ELF format. Knows nothing of PKCS#11.

use std::{fs::File, io::Read, path::Path};

/// The first bytes of an ELF file (System V ABI, chapter 4, "ELF Header"): `e_ident`, `e_type`, `e_machine`.
type Header = [u8; 20];

/// Why the file at `path` cannot be loaded here, and what to do. A file that cannot be read is left to the loader, which
/// knows more places to look.
pub(super) fn deviation(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    if file.metadata().ok()?.is_dir() {
        return Some("it is a folder: name the module in it".to_owned());
    }
    let mut start = Vec::new();
    file.by_ref().take(size_of::<Header>() as u64).read_to_end(&mut start).ok()?;
    let header = match Header::try_from(start) {
        Ok(header) if header.starts_with(b"\x7fELF") => header,
        Ok(_) | Err(_) => {
            return Some("it is no shared library (no ELF file): name the vendor's PKCS#11 module".to_owned());
        }
    };
    let mut own: Header = [0; 20];
    File::open("/proc/self/exe").ok()?.read_exact(&mut own).ok()?;
    let (needed, found) = (Machine::of(&own), Machine::of(&header));
    (needed != found).then(|| {
        let (needed, found) = (needed.in_words(), found.in_words());
        format!("it is for {found}, and this program is for {needed}: install the vendor's module for {needed}")
    })
}

/// What a file was built for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Machine {
    /// `EI_CLASS`: 1 for 32 bits, 2 for 64.
    class: u8,
    /// `EI_DATA`: 1 for the low byte first, 2 for the high.
    order: u8,
    /// `e_machine`.
    number: u16,
}

impl Machine {
    fn of(header: &Header) -> Self {
        let [.., first, second] = *header;
        let [_, _, _, _, class, order, ..] = *header;
        let number = if order == 2 { u16::from_be_bytes([first, second]) } else { u16::from_le_bytes([first, second]) };
        Self { class, order, number }
    }

    fn in_words(self) -> String {
        let bits = if self.class == 1 { 32 } else { 64 };
        let name = match self.number {
            3 => "x86",
            8 => "MIPS",
            20 => "PowerPC",
            21 => "PowerPC 64",
            22 => "S/390",
            40 => "ARM",
            62 => "x86-64",
            183 => "AArch64",
            243 => "RISC-V",
            258 => "LoongArch",
            number => return format!("machine {number} of the ELF standard ({bits} bit)"),
        };
        format!("{name} ({bits} bit)")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn of(content: &[u8]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("module.so");
        fs::write(&path, content).unwrap();
        deviation(&path)
    }

    #[test]
    fn a_file_for_another_machine_is_told_with_both_names() {
        let own = fs::read("/proc/self/exe").unwrap()[..64].to_vec();
        assert_eq!(of(&own), None);
        let changed = |place: usize, byte: u8| {
            let mut header = own.clone();
            header[place] = byte;
            of(&header).unwrap()
        };
        let words = Machine::of(&own[..20].try_into().unwrap()).in_words();
        let machine = changed(18, 243);
        assert!(machine.starts_with("it is for RISC-V (64 bit), and this program is for "), "{machine}");
        assert!(machine.ends_with(&format!("install the vendor's module for {words}")), "{machine}");
        assert!(changed(4, 1).contains("(32 bit)"));
        assert!(changed(18, 99).contains("machine 99 of the ELF standard"));
        // The two bytes of the machine are then read the other way round.
        assert!(changed(5, 2).contains("machine "));
    }

    #[test]
    fn what_is_no_elf_file_is_told() {
        for content in [&b""[..], b"\x7fELF", b"INPUT(/usr/lib/libother.so)\n", &[0; 100]] {
            assert!(of(content).unwrap().contains("no ELF file"), "{content:?}");
        }
        assert!(deviation(Path::new("/proc")).unwrap().contains("folder"));
        assert_eq!(deviation(Path::new("/nonexistent")), None);
    }
}
