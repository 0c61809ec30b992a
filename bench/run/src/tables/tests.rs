use super::*;

#[test]
fn the_name_of_a_row_says_what_it_is() {
    let cases = [
        (Table::Echo, "32B-P16", Some((32, 64, 16))),
        (Table::Echo, "0-P1", Some((0, 64, 1))),
        (Table::Echo, "1KiB-P1-C1000", Some((1024, 1000, 1))),
        (Table::Echo, "1MiB", Some((1 << 20, 64, 1))),
        (Table::Deflate, "P16", Some((1024, 64, 16))),
        (Table::FanOut, "burst", Some((128, 2000, 8))),
        (Table::Memory, "tls", Some((32, 18_000, 1))),
        (Table::Echo, "P16", None),
        (Table::Echo, "32B-X3", None),
        (Table::Memory, "fast", None),
    ];
    for (table, name, expected) in cases {
        let row = table.row(name).ok();
        let found = row.map(|row| (row.size, row.connections, row.in_flight));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_table_has_the_rows_it_lists() {
    let counts = Table::ALL.map(|table| table.rows().len());
    assert_eq!(counts, [6, 2, 3, 2]);
}
