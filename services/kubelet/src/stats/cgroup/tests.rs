use std::collections::BTreeMap;

use super::*;

fn groups(text: &str) -> Option<Groups> {
    Groups::parse(text, Path::new(ROOT))
}

fn files<'a>(list: &[(&str, &'a str)]) -> impl Fn(&Path) -> Option<String> + use<'a> {
    let files: BTreeMap<PathBuf, &'a str> =
        list.iter().map(|(path, text)| (Path::new(ROOT).join(path), *text)).collect();
    move |path| files.get(path).map(|text| (*text).to_owned())
}

#[test]
fn groups_are_found_in_both_versions() {
    let v1 = |list: &[(&str, &str)]| {
        let directories = list.iter().map(|(name, at)| ((*name).to_owned(), Path::new(ROOT).join(at)));
        Some(Groups::V1(directories.collect()))
    };
    let v2 = |at: &str| Some(Groups::V2(Path::new(ROOT).join(at)));
    let table = [
        ("5:memory:/docker/ab\n", v1(&[("memory", "memory/docker/ab")])),
        (
            "4:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n0::/\n",
            v1(&[("cpu", "cpu,cpuacct/docker/ab"), ("cpuacct", "cpu,cpuacct/docker/ab")]),
        ),
        ("0::/system.slice/docker-ab.scope\n", v2("system.slice/docker-ab.scope")),
        ("0::/a:b\n", v2("a:b")),
        ("0::/\n", v2("")),
        ("", None),
        ("nonsense\n", None),
    ];
    for (text, wanted) in table {
        assert_eq!(groups(text), wanted, "{text:?}");
    }
}

#[test]
fn version_1_is_read() {
    let read = files(&[
        ("cpuacct/c/cpuacct.usage", "123456789\n"),
        ("memory/c/memory.usage_in_bytes", "1000\n"),
        ("memory/c/memory.limit_in_bytes", "9223372036854771712\n"),
        (
            "memory/c/memory.stat",
            "cache 1\nrss 2\ntotal_cache 300\ntotal_rss 500\ntotal_inactive_file 200\n\
             total_pgfault 7\ntotal_pgmajfault 1\n",
        ),
        ("pids/c/pids.current", "3\n"),
        (
            "blkio/c/blkio.throttle.io_service_bytes",
            "8:0 Read 10\n8:0 Write 20\n8:16 Read 1\n8:16 Total 1\nTotal 31\n",
        ),
    ]);
    let groups = groups("1:cpuacct:/c\n2:memory:/c\n3:pids:/c\n4:blkio:/c\n").unwrap();
    let memory = Memory {
        usage: 1000,
        working_set: 800,
        rss: 500,
        cache: 300,
        limit: None,
        faults: 7,
        major_faults: 1,
    };
    let wanted =
        Counts { cpu: Some(123_456_789), memory: Some(memory), processes: Some(3), disk: Some((11, 20)) };
    assert_eq!(groups.counts(read), wanted);
}

#[test]
fn version_2_is_read() {
    let read = files(&[
        ("c/cpu.stat", "usage_usec 5000\nuser_usec 4000\nsystem_usec 1000\n"),
        ("c/memory.current", "4096\n"),
        ("c/memory.max", "8192\n"),
        ("c/memory.stat", "anon 100\nfile 200\ninactive_anon 9\ninactive_file 96\npgfault 5\npgmajfault 2\n"),
        ("c/pids.current", "1\n"),
        ("c/io.stat", "8:0 rbytes=10 wbytes=20 rios=1\n8:16 rbytes=5 wbytes=0\n"),
    ]);
    let memory = Memory {
        usage: 4096,
        working_set: 4000,
        rss: 100,
        cache: 200,
        limit: Some(8192),
        faults: 5,
        major_faults: 2,
    };
    let wanted =
        Counts { cpu: Some(5_000_000), memory: Some(memory), processes: Some(1), disk: Some((15, 20)) };
    assert_eq!(Groups::V2(Path::new(ROOT).join("c")).counts(read), wanted);
}

#[test]
fn what_is_not_there_or_no_number_is_absent() {
    let read = files(&[("c/memory.current", "4096\n"), ("c/memory.max", "max\n"), ("c/pids.current", "x")]);
    let memory = Memory { usage: 4096, working_set: 4096, ..Memory::default() };
    let wanted = Counts { memory: Some(memory), ..Counts::default() };
    assert_eq!(Groups::V2(Path::new(ROOT).join("c")).counts(read), wanted);
    assert_eq!(Groups::V1(Vec::new()).counts(|_| None), Counts::default());
}
