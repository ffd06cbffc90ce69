//! What a value of several forms looks like, for those who wrote it in none: serde has only its own words for
//! that.

/// The reason for refusing the value at `path`, the key last, if `message` is serde's about its form.
pub(super) fn reason(path: &str, message: &str) -> Option<String> {
    let of_form =
        ["variant, expected", "internally tagged enum", "string or table", "string or map"];
    if !of_form.iter().any(|words| message.contains(words)) {
        return None;
    }
    let form = super::place::steps(path).collect::<Vec<_>>().into_iter().rev().find_map(form)?;
    Some(format!("has another form, such as {form}"))
}

/// The key of the TOML value that begins at a byte of `text`.
pub(super) fn key_before(text: &str, byte: usize) -> &str {
    let before = text.get(..byte).unwrap_or("").trim_end();
    let before = before.strip_suffix('=').unwrap_or("").trim_end();
    let start = before.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
    // A character other than these may be longer than a byte.
    before.get(start..).unwrap_or("")
}

fn form(key: &str) -> Option<&'static str> {
    Some(match key {
        "encoding" => {
            "{ latency = { t_max = 20.0 } }, { points = { t_max = 30.0 } } or \"recorded\""
        }
        "weights" => "{ normal = { mean = 0.1, sd = 0.1 } }, { constant = 0.5 } or \"zeros\"",
        "delays" => "{ uniform = { low = 0.0, high = 10.0 } } or { constant = 1.0 }",
        "loss" => "{ kind = \"vmax_cross_entropy\" }",
        "optimiser" => "{ kind = \"adam\" }",
        "schedule" => {
            "{ cosine = { floor = 0.0 } }, { step = { every = 10, factor = 0.1 } } or \"constant\""
        }
        "clip" => "{ norm = 1.0 } or { value = 0.1 }",
        "silent" => "{ lift = 0.01 } or \"none\"",
        _ => return None,
    })
}
