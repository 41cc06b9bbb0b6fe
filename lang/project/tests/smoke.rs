//! t
use dax_project::*;
struct Disk(std::path::PathBuf);
impl FileSystem for Disk {
    fn read(&self, p: &str) -> Result<Option<Vec<u8>>, std::io::Error> { let p=self.0.join(p); if p.is_file() { std::fs::read(p).map(Some) } else { Ok(None) } }
    fn list(&self, p: &str) -> Result<Option<Vec<String>>, std::io::Error> { Ok(Some(std::fs::read_dir(self.0.join(p))?.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())) }
}
#[test]
fn smoke() {
    let dir = std::env::var("DIR").unwrap_or("../../examples/quickstart".into());
    let l = load(&Disk(dir.into())).unwrap();
    let (g, d) = l.analyse(&Params { values: Default::default(), missing: Missing::Report });
    for d in &d { println!("{} {:?}", d.one_line(&l.sources), d.help); }
    println!("{}", serde_json::to_string_pretty(&dax_ir::to_json(&g, &l.sources, Some("production"))).unwrap());
}
