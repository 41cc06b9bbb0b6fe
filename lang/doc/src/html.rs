//! Text to HTML.

use dax_core::printable::Text;
use pulldown_cmark::{CowStr, Event, Options, Parser, html};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;color:#1c2024;background:#fff}\
main{max-width:58rem;margin:0 auto;padding:1.5rem}nav{background:#f2f4f7;padding:.6rem 1.5rem}nav a{margin-right:1rem}\
a{color:#0b5cad}h1{font-size:1.7rem}h2{margin-top:2rem;border-bottom:1px solid #d8dce2}\
pre,code{font:14px/1.45 ui-monospace,monospace;background:#f6f7f9}pre{padding:.7rem;overflow:auto}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #e4e7ec}\
.dim{color:#667085;font-size:.9em}section:target{background:#fff8db}\
@media(prefers-color-scheme:dark){body{background:#16181d;color:#e6e8ec}nav,pre,code{background:#21242b}a{color:#7ab8ff}th,td,h2{border-color:#33373f}section:target{background:#3a3413}}";

/// Text inside of HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A doc comment, which is Markdown; HTML in it is shown as text, and links lead to the web only.
pub(crate) fn markdown(text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(pulldown_cmark::Tag::Link { link_type, dest_url, title, id }) => {
            let safe = dest_url.starts_with("https://")
                || dest_url.starts_with("http://")
                || dest_url.starts_with('#');
            let dest_url = if safe { dest_url } else { CowStr::Borrowed("#") };
            Event::Start(pulldown_cmark::Tag::Link { link_type, dest_url, title, id })
        }
        Event::Start(pulldown_cmark::Tag::Image { .. }) => Event::Text(CowStr::Borrowed("")),
        Event::End(pulldown_cmark::TagEnd::Image) => Event::Text(CowStr::Borrowed("")),
        other => other,
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

/// A whole page, printable.
pub(crate) fn page(project: &str, title: &str, links: &[(String, String)], body: &str) -> String {
    let links: String = links
        .iter()
        .map(|(name, target)| format!("<a href=\"{}\">{}</a>", escape(target), escape(name)))
        .collect();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>{} · {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<nav>{links}</nav>\n<main>\n<h1>{}</h1>\n{body}</main>\n</body>\n</html>\n",
        escape(title),
        escape(project),
        escape(title)
    );
    // Markdown writes characters by number, so what is printable is decided by the page that is sent.
    Text::new(&page).to_string()
}
