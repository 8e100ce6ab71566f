//! What sections are made of: their frame, figures, names, figures with their tables.

use maud::{Markup, html};

use super::chart::Caption;
use crate::domain::{GroupKey, Usd, nearest_f64_percent};
use crate::people;

/// Characters of a name in a line: no place has room for more.
const NAME_CHARS_MAX: usize = 60;

/// A section: its id, its heading with a link to the REST answer that its numbers equal, and what is in it.
pub fn section(id: &str, title: &str, rest: Option<&str>, body: &Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-h" } {
            h2 id={ (id) "-h" } {
                (title)
                @if let Some(rest) = rest { " " (rest_link(rest, title)) }
            }
            (body)
        }
    }
}

/// A link to a REST answer.
pub fn rest_link(target: &str, what: &str) -> Markup {
    html! { a.rest href=(target) aria-label={ "JSON: " (what) } { "JSON" } }
}

/// In place of a section that cannot be read.
pub fn failed(id: &str, title: &str, rest: &str, why: &str) -> Markup {
    section(id, title, Some(rest), &html! { p.failed role="status" { (why) } })
}

/// Money with its sign, as it stands in a sentence: `$12.35`.
pub fn usd(amount: Usd) -> Markup {
    let shown = people::money(amount);
    let (sign, digits) = shown.strip_prefix('-').map_or(("", &*shown), |digits| ("-", digits));
    html! { data value=(amount) { (sign) "$" (digits) } }
}

/// The same as text, for titles and descriptions.
pub fn usd_text(amount: Usd) -> String {
    let shown = people::money(amount);
    shown.strip_prefix('-').map_or_else(|| format!("${shown}"), |digits| format!("-${digits}"))
}

/// Decimals beyond the cent that an amount is shown with.
pub fn finer_decimals(amount: Usd) -> usize {
    people::money(amount).split_once('.').map_or(0, |(_, decimals)| decimals.len().saturating_sub(2))
}

/// Money in a column whose finest amount has so many decimals beyond the cent: decimal points stand below each other.
pub fn usd_cell(amount: Usd, column: usize) -> Markup {
    let pad = column.saturating_sub(finer_decimals(amount));
    html! {
        td.num.{ "p" (pad) } { data value=(amount) { (people::money(amount)) } }
    }
}

/// A count.
pub fn number(count: u64) -> Markup {
    html! { data value=(count) { (people::grouped(count.into())) } }
}

/// A share in percent, cut after one decimal.
pub fn percent(value: f64) -> Markup {
    html! { data value=(value) { (people::percent(value)) " %" } }
}

/// Which share an amount is of a total; nothing of a total that is not above zero.
pub fn share(amount: Usd, total: Usd) -> Option<f64> {
    (total > Usd::ZERO).then(|| nearest_f64_percent(amount.pico(), total.pico()))
}

/// A name that is cut where there is no room, with all of it in the title. What has none has the word for that.
pub fn name(text: &str, nothing: &str) -> Markup {
    if text.is_empty() {
        return html! { span.none { (nothing) } };
    }
    let text = people::printable(text);
    let end = text.char_indices().nth(NAME_CHARS_MAX).map(|(end, _)| end);
    html! { span.name title=(text) { @match end { Some(end) => { (text[..end]) "…" } None => (text) } } }
}

/// The values of a key, outermost first, as one name.
pub fn key_text(key: &GroupKey) -> String {
    key.values().collect::<Vec<_>>().join(" · ")
}

/// A chart with its table.
pub fn figure(caption: &Caption, drawing: &Markup, shown: &Markup, table: &Markup) -> Markup {
    html! {
        figure {
            (drawing)
            figcaption { (shown) }
            details { summary { "Table: " (caption.title) } (table) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_rounded_for_people_and_whole_for_programs() {
        let shown = |text: &str| usd(text.parse().unwrap()).into_string();
        assert_eq!(shown("1234.5678"), r#"<data value="1234.5678">$1,234.57</data>"#);
        assert_eq!(shown("-0.0000015"), r#"<data value="-0.0000015">-$0.0000015</data>"#);
        let cell = |text: &str| usd_cell(text.parse().unwrap(), 3).into_string();
        assert_eq!(cell("2"), r#"<td class="num p3"><data value="2">2.00</data></td>"#);
        assert_eq!(cell("0.00012"), r#"<td class="num p0"><data value="0.00012">0.00012</data></td>"#);
        assert_eq!(usd_text("-2".parse().unwrap()), "-$2.00");
    }

    #[test]
    fn names_are_escaped_and_what_is_invisible_in_them_is_seen() {
        assert_eq!(
            name("a<b>\u{202e}", "").into_string(),
            "<span class=\"name\" title=\"a&lt;b&gt;\u{fffd}\">a&lt;b&gt;\u{fffd}</span>"
        );
        assert_eq!(name("", "without a model").into_string(), r#"<span class="none">without a model</span>"#);
        assert!(name("\"&", "").into_string().contains(r#"title="&quot;&amp;""#));
        let long = name(&"é".repeat(100), "").into_string();
        assert_eq!(
            long,
            format!("<span class=\"name\" title=\"{}\">{}…</span>", "é".repeat(100), "é".repeat(NAME_CHARS_MAX))
        );
    }

    #[test]
    fn a_share_of_nothing_is_none() {
        let of = |amount: &str, total: &str| share(amount.parse().unwrap(), total.parse().unwrap());
        assert_eq!((of("1", "8"), of("1", "0"), of("1", "-1"), of("-1", "4")), (Some(12.5), None, None, Some(-25.0)));
    }
}
