use rusqlite::Connection;

use super::*;
use crate::ledger::LedgerError;

/// What a first format has.
#[derive(Clone, Debug, PartialEq)]
struct Plate {
    shelf: String,
    place: i64,
    chipped: bool,
    colour: Option<Box<str>>,
}

row! {
    "INSERT" "plate",
    write Plate, read Plate,
    (Plate { shelf, place, chipped, colour }),
    key {
        "shelf" => shelf;
        "place" => place;
    }
    columns {
        "chipped" => chipped;
        "colour" => colour;
    }
}

/// The same in a later one.
#[derive(Clone, Debug, PartialEq)]
struct PricedPlate {
    plate: (String, i64, bool, Option<Box<str>>),
    price: Option<i64>,
    sold: Option<i64>,
}

row! {
    "INSERT" "plate",
    write PricedPlate, read PricedPlate,
    (PricedPlate { plate: (shelf, place, chipped, colour), price, sold }),
    key {
        "shelf" => shelf;
        "place" => place;
    }
    columns {
        "chipped" => chipped;
        "colour" => colour;
    }
    later {
        "price" => price;
        "sold" => sold;
    }
}

fn table() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    let sql = "CREATE TABLE plate (shelf TEXT, place INTEGER, chipped INTEGER, colour TEXT, checksum INTEGER) STRICT";
    connection.execute_batch(sql).unwrap();
    connection
}

fn plate(place: i64) -> Plate {
    Plate { shelf: "top".into(), place, chipped: place == 2, colour: (place != 2).then(|| "blue".into()) }
}

#[test]
fn a_row_is_read_as_it_was_written_and_changed_by_its_key() {
    let connection = table();
    for place in 1..=3 {
        write_row(&connection, &plate(place)).unwrap();
    }
    let changed = Plate { chipped: true, colour: None, ..plate(3) };
    let checksum = RowWriter::update(&connection).unwrap().write(&changed).unwrap();
    assert_eq!(checksum, checksum_of(&changed).unwrap());
    let found: Vec<Plate> = read_rows(&connection, "ORDER BY place", ()).unwrap();
    assert_eq!(found, [plate(1), plate(2), changed]);
    let unknown = RowWriter::update(&connection).unwrap().try_write(&plate(9)).unwrap();
    assert_eq!(unknown, None, "nothing is added by a change");
}

#[test]
fn a_change_of_any_column_is_found() {
    for edit in
        ["shelf = 'low'", "place = 7", "chipped = 1", "chipped = NULL", "colour = NULL", "colour = ''", "checksum = 0"]
    {
        let connection = table();
        write_row(&connection, &plate(1)).unwrap();
        connection.execute_batch(&format!("UPDATE plate SET {edit}")).unwrap();
        let found = read_rows::<Plate>(&connection, "", ());
        assert!(matches!(found, Err(LedgerError::Damaged(_))), "{edit}: {found:?}");
    }
}

/// Guards against: an added column that makes all older rows look damaged, or whose content is not proven.
#[test]
fn rows_of_an_older_format_are_sound_without_the_later_columns() {
    let connection = table();
    write_row(&connection, &plate(1)).unwrap();
    connection
        .execute_batch("ALTER TABLE plate ADD COLUMN price INTEGER; ALTER TABLE plate ADD COLUMN sold INTEGER")
        .unwrap();
    // SQLite adds columns behind the checksum; the list says by name what is read.
    let priced = |place, price, sold| {
        let Plate { shelf, place, chipped, colour } = plate(place);
        PricedPlate { plate: (shelf, place, chipped, colour), price, sold }
    };
    let (some, other) = (priced(2, Some(5), None), priced(3, None, Some(5)));
    write_row(&connection, &some).unwrap();
    write_row(&connection, &other).unwrap();
    let found: Vec<PricedPlate> = read_rows(&connection, "ORDER BY place", ()).unwrap();
    assert_eq!(found, [priced(1, None, None), some, other]);
    assert_eq!(checksum_of(&priced(1, None, None)).unwrap(), checksum_of(&plate(1)).unwrap());
    for edit in ["price = NULL, sold = price WHERE place = 2", "sold = 6 WHERE place = 3", "price = 0 WHERE place = 1"] {
        let transaction = connection.unchecked_transaction().unwrap();
        transaction.execute_batch(&format!("UPDATE plate SET {edit}")).unwrap();
        assert!(read_rows::<PricedPlate>(&transaction, "", ()).is_err(), "{edit}");
    }
}

/// Guards against: a column that keeps what the row before had there, a row at a wrong place, and later columns that get lost.
#[test]
fn rows_that_are_added_together_are_as_if_each_were_written_alone() {
    let priced = |place: i64| PricedPlate {
        plate: ("top".into(), place, place % 3 == 0, (place % 5 != 0).then(|| format!("blue {place}").into())),
        price: (place % 19 == 0).then_some(place),
        sold: (place == 38).then_some(7),
    };
    for count in [0, 1, 3, 4, 16, 17, 100] {
        let rows: Vec<PricedPlate> = (1..=count).map(priced).collect();
        let (alone, together) = (table(), table());
        for connection in [&alone, &together] {
            let later = "ALTER TABLE plate ADD COLUMN price INTEGER; ALTER TABLE plate ADD COLUMN sold INTEGER";
            connection.execute_batch(later).unwrap();
        }
        rows.iter().for_each(|row| write_row(&alone, row).unwrap());
        let (mut adder, mut checksums) = (RowAdder::new(&together), Vec::new());
        for group in rows.chunks(RowAdder::<PricedPlate>::ROWS_MAX) {
            adder.add(group, |checksum| checksums.push(checksum)).unwrap();
        }
        assert_eq!(checksums, rows.iter().map(|row| checksum_of(row).unwrap()).collect::<Vec<_>>());
        for connection in [&alone, &together] {
            assert_eq!(read_rows::<PricedPlate>(connection, "ORDER BY rowid", ()).unwrap(), rows, "{count}");
        }
    }
}
