use super::*;

#[test]
fn the_median_is_in_the_middle() {
    let cases: [(&[f64], Option<f64>); 4] = [
        (&[], None),
        (&[3.0], Some(3.0)),
        (&[9.0, 1.0, 2.0], Some(2.0)),
        (&[4.0, 1.0, 2.0, 9.0], Some(3.0)),
    ];
    for (values, expected) in cases {
        assert_eq!(median(values.to_vec()), expected);
    }
}
