use std::time::Instant;
struct Disk(std::path::PathBuf);
impl dax_project::FileSystem for Disk {
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.0.join(path)) {
            Ok(b) => Ok(Some(b)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }
    fn list(&self, folder: &str) -> std::io::Result<Option<Vec<String>>> {
        let Ok(d) = std::fs::read_dir(self.0.join(folder)) else { return Ok(None) };
        Ok(Some(
            d.map(|e| {
                let e = e.unwrap();
                let n = e.file_name().into_string().unwrap();
                if e.file_type().unwrap().is_dir() { format!("{n}/") } else { n }
            })
            .collect(),
        ))
    }
}
fn rss() -> String {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    s.lines().find(|l| l.starts_with("VmRSS")).unwrap().to_owned()
}
fn main() {
    let disk = Disk(std::env::args().nth(1).unwrap().into());
    let t = Instant::now();
    let loaded = dax_project::load(&disk).unwrap();
    println!("load {:?} {} diags {}", t.elapsed(), rss(), loaded.diagnostics.len());
    for _ in 0..2 {
        let t = Instant::now();
        let e = dax_sema::examine(&loaded.program, &|_| false, &|| false).unwrap();
        println!("examine nothing {:?} {} {}", t.elapsed(), rss(), e.whole.len());
        let t = Instant::now();
        let e = dax_sema::examine(&loaded.program, &|_| true, &|| false).unwrap();
        println!(
            "examine all {:?} {} {} uses {} types {}",
            t.elapsed(),
            rss(),
            e.items.len(),
            e.meanings.uses.len(),
            e.meanings.types.len()
        );
        for i in e.items.iter().take(3) {
            println!("{} {}", i.detail, loaded.sources.location(i.span));
        }
        let f = loaded.program.modules[loaded.program.root.0].files[3].items[0].span.file;
        let t = Instant::now();
        let e1 = dax_sema::examine(&loaded.program, &|x| x == f, &|| false).unwrap();
        println!(
            "examine one {:?} {} {} uses {} types {}",
            t.elapsed(),
            rss(),
            e1.items.len(),
            e1.meanings.uses.len(),
            e1.meanings.types.len()
        );
        let params = dax_project::Params {
            values: Default::default(),
            typed: Default::default(),
            missing: dax_project::Missing::Ignore,
            only: None,
            outputs: Default::default(),
        };
        let t = Instant::now();
        let d = dax_sema::compute(&loaded.program, &params, e.items, &|| false).unwrap();
        println!("compute {:?} {} {}", t.elapsed(), rss(), d.len());
    }
}
