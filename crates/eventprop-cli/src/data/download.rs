//! One file over HTTP: broken off, it is gone on with; right, it appears in one piece.

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Agent;
use ureq::http::StatusCode;

/// How long a server may take to be reached and to begin its answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file to be fetched.
pub(super) struct Download<'a> {
    pub(super) url: &'a str,
    pub(super) path: &'a Path,
    /// In bytes; what is longer is refused before it fills a disk.
    pub(super) size: u64,
    /// In hexadecimal digits.
    pub(super) sha256: &'a str,
    /// Refuse any step of the way that is not encrypted.
    pub(super) https_only: bool,
}

impl Download<'_> {
    /// Fetches what is missing, tells `progress` the bytes that are there, and checks them. Leaves a
    /// file alone that is there and right.
    pub(super) fn run(&self, progress: impl Fn(u64)) -> Result<()> {
        if self.path.exists() && checksum(self.path)? == self.sha256 {
            return Ok(());
        }
        let part = self.part();
        self.fetch(&part, progress)
            .with_context(|| format!("cannot fetch {}; the same command goes on", self.url))?;
        let found = checksum(&part)?;
        if found != self.sha256 {
            fs::remove_file(&part)?;
            bail!("{} is not what it was: its SHA-256 is {found}, not {}", self.url, self.sha256);
        }
        File::open(&part)?.sync_all()?;
        fs::rename(&part, self.path)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// What is fetched lies beside its place until it is whole.
    fn part(&self) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        self.path.with_file_name(name)
    }

    fn fetch(&self, part: &Path, progress: impl Fn(u64)) -> Result<()> {
        let mut have = fs::metadata(part).map_or(0, |file| file.len());
        if have == self.size {
            return Ok(());
        }
        if have > self.size {
            fs::remove_file(part)?;
            have = 0;
        }
        let agent: Agent = Agent::config_builder()
            .https_only(self.https_only)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .into();
        let request = match have {
            0 => agent.get(self.url),
            _ => agent.get(self.url).header("Range", format!("bytes={have}-")),
        };
        let response = request.call()?;
        let mut file = OpenOptions::new();
        let mut file = match response.status() {
            StatusCode::PARTIAL_CONTENT => file.append(true).create(true).open(part)?,
            // The server does not go on, it begins again.
            StatusCode::OK => {
                have = 0;
                file.write(true).create(true).truncate(true).open(part)?
            }
            status => bail!("the server answers {status}"),
        };
        let mut body = response.into_body().into_reader().take(self.size - have + 1);
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            have += read as u64;
            if have > self.size {
                drop(file);
                fs::remove_file(part)?;
                bail!("it is longer than {} bytes: another file", self.size);
            }
            file.write_all(&buffer[..read])?;
            progress(have);
        }
        ensure!(have == self.size, "it ended after {have} of {} bytes", self.size);
        Ok(())
    }
}

fn checksum(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    /// SHA-256 of the digits, 100 times over.
    const SHA256: &str = "ab6c5f3237f551d208fc2ca5225a4cca20b3fd638794a804f0ed5549d5041734";

    fn content() -> Vec<u8> {
        b"0123456789".repeat(100)
    }

    /// What a server answers to one request.
    #[derive(Clone, Copy)]
    enum Answer {
        /// What is asked for, broken off after so many bytes.
        Part(usize),
        /// What is asked for.
        All,
        /// All of it, whatever part is asked for.
        Again,
        /// Other bytes.
        Altered,
        /// More than there is.
        Longer,
        Missing,
    }

    /// A server for as many requests as there are answers: its address, and the ranges asked for.
    fn server(answers: &'static [Answer]) -> (String, Receiver<Option<usize>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/file", listener.local_addr().unwrap());
        let (sender, ranges) = channel();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut range = None;
                for line in BufReader::new(&stream).lines().map_while(Result::ok) {
                    if line.is_empty() {
                        break;
                    }
                    let line = line.to_ascii_lowercase();
                    if let Some(bytes) = line.strip_prefix("range: bytes=") {
                        range = bytes.trim_end_matches('-').parse().ok();
                    }
                }
                sender.send(range).unwrap();
                let mut body = content();
                let mut from = range.unwrap_or(0);
                match answer {
                    Answer::Again => from = 0,
                    Answer::Altered => body[500] = b'x',
                    Answer::Longer => body.extend(content()),
                    _ => {}
                }
                let status = match answer {
                    Answer::Missing => "404 Not Found",
                    _ if from > 0 => "206 Partial Content",
                    _ => "200 OK",
                };
                let mut body = &body[from..];
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                if let Answer::Part(length) = answer {
                    body = &body[..*length];
                }
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
            }
        });
        (address, ranges)
    }

    fn download<'a>(url: &'a str, path: &'a Path) -> Download<'a> {
        Download { url, path, size: 1000, sha256: SHA256, https_only: false }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_was_broken_off_is_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let (url, ranges) = server(&[Answer::Part(300), Answer::Part(400), Answer::All]);
        for _ in 0..2 {
            let error = download(&url, &path).run(|_| {}).unwrap_err();
            assert!(format!("{error:#}").contains("goes on"), "{error:#}");
            assert_eq!(names(folder.path()), ["file.part"]);
        }
        download(&url, &path).run(|_| {}).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content());
        assert_eq!(names(folder.path()), ["file"]);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [None, Some(300), Some(700)]);
        // It is there and right: nobody is asked, and nobody would answer.
        download(&url, &path).run(|_| {}).unwrap();
    }

    #[test]
    fn a_server_without_ranges_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let (url, _ranges) = server(&[Answer::Part(300), Answer::Again]);
        download(&url, &path).run(|_| {}).unwrap_err();
        download(&url, &path).run(|_| {}).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content());
    }

    #[test]
    fn what_is_not_right_is_refused_and_removed() {
        for (answers, reason) in [
            (&[Answer::Altered][..], "SHA-256"),
            (&[Answer::Longer], "longer than 1000 bytes"),
            (&[Answer::Missing], "404"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let (url, _ranges) = server(answers);
            let error = download(&url, &path).run(|_| {}).unwrap_err();
            assert!(format!("{error:#}").contains(reason), "{error:#}");
            assert!(names(folder.path()).is_empty(), "{reason}");
        }
    }

    #[test]
    fn a_way_without_encryption_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let (url, _ranges) = server(&[Answer::All]);
        let open = Download { https_only: true, ..download(&url, &path) };
        assert!(open.run(|_| {}).is_err());
        assert!(!path.exists());
    }
}
