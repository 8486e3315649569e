use proptest::prelude::*;

use super::*;

fn q(text: &str) -> Quantity {
    Quantity::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn canonical_forms_are_those_of_kubernetes() {
    let table = [
        ("0", "0"),
        ("-0", "0"),
        ("0m", "0"),
        ("0Ki", "0"),
        ("0e9", "0"),
        ("0.0Gi", "0"),
        ("1", "1"),
        ("+1", "1"),
        ("-1", "-1"),
        ("01", "1"),
        ("1.", "1"),
        (".5", "500m"),
        ("1.0", "1"),
        ("1500m", "1500m"),
        ("1.5", "1500m"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("0.001", "1m"),
        ("100m", "100m"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("12000k", "12M"),
        ("1000000", "1M"),
        ("1E", "1E"),
        ("1000P", "1E"),
        ("1000n", "1u"),
        ("1500n", "1500n"),
        ("1u", "1u"),
        ("1000000u", "1"),
        ("0.000000001", "1n"),
        ("0.5Gi", "512Mi"),
        ("1024Ki", "1Mi"),
        ("1Ki", "1Ki"),
        ("1023Ki", "1023Ki"),
        ("1.5Ki", "1536"),
        ("0.5Ki", "512"),
        ("0.25Mi", "256Ki"),
        ("1Ei", "1Ei"),
        ("1024Ti", "1Pi"),
        ("-1024Ki", "-1Mi"),
        ("0.0009765625Ki", "1"),
        ("0.0001Ki", "102400u"),
        ("1.0001Ki", "1024102400u"),
        ("1000Ki", "1000Ki"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("1e+3", "1e3"),
        ("1000e0", "1e3"),
        ("1e-3", "1e-3"),
        ("15e2", "1500"),
        ("1.5e3", "1500"),
        ("1e4", "10e3"),
        ("100e-1", "10"),
        ("1e0", "1"),
        ("1e-9", "1e-9"),
        ("1e18", "1e18"),
    ];
    for (text, canonical) in table {
        assert_eq!(q(text).to_string(), canonical, "{text:?}");
    }
}

#[test]
fn fractions_below_a_billionth_round_away_from_zero() {
    let table = [
        ("0.0000000001", "1n"),
        ("1.1n", "2n"),
        ("-1.1n", "-2n"),
        ("0.1n", "1n"),
        ("-0.1n", "-1n"),
        ("1e-10", "1e-9"),
        ("1e-2000000000", "1e-9"),
        ("1.0000000000000000000000000000000000000000000001n", "2n"),
        ("1.0000000000n", "1n"),
        ("0e-99", "0"),
    ];
    for (text, canonical) in table {
        assert_eq!(q(text).to_string(), canonical, "{text:?}");
    }
}

#[test]
fn amounts_are_cut_to_63_bits() {
    let most = "9223372036854775807";
    for text in [
        "9223372036854775807",
        "9223372036854775808",
        "10E",
        "8Ei",
        "1e19",
        "1e2000000000",
        "99999999999999999999999999999999999999999999",
    ] {
        let quantity = q(text);
        assert_eq!(quantity.value(), i64::MAX, "{text:?}");
        assert_eq!(quantity.to_string(), most, "{text:?}");
        assert_eq!(q(&format!("-{text}")).value(), -i64::MAX, "{text:?}");
    }
    assert_eq!((q("10E") + q("10E")).to_string(), most);
    assert_eq!(q("9223372036854775807").milli(), i64::MAX);
    assert_eq!(q("0.0000000000000000000000000000001e40").value(), 1_000_000_000);
}

#[test]
fn what_is_not_an_amount_says_why() {
    use ParseQuantityError::{Format, Number, Suffix};
    let table = [
        ("", Format),
        (" 1", Format),
        ("1 ", Format),
        ("1.1.M", Format),
        ("1+1.0M", Format),
        ("aoeu", Format),
        ("0.1mi", Suffix),
        ("0.1am", Format),
        (".5i", Suffix),
        ("1i", Suffix),
        ("-3.01i", Suffix),
        ("-3.01e-", Suffix),
        ("1K", Suffix),
        ("1ki", Suffix),
        ("1kM", Suffix),
        ("1e", Suffix),
        ("1e99999999999", Suffix),
        ("1E3i", Format),
        ("--1", Number),
        (".", Number),
        ("+", Number),
        ("-Ki", Number),
        ("m", Number),
        ("1,5", Format),
        ("ä", Format),
        ("1e1.5", Format),
        ("1m1", Suffix),
    ];
    for (text, error) in table {
        assert_eq!(Quantity::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn values_round_up() {
    let table = [
        ("1500m", 2, 1500),
        ("1", 1, 1000),
        ("1m", 1, 1),
        ("1u", 1, 1),
        ("-1500m", -2, -1500),
        ("1Ki", 1024, 1_024_000),
        ("100u", 1, 1),
        ("0", 0, 0),
        ("1.0001", 2, 1001),
    ];
    for (text, value, milli) in table {
        assert_eq!((q(text).value(), q(text).milli()), (value, milli), "{text}");
    }
    assert!((q("2500m").as_f64() - 2.5).abs() < f64::EPSILON);
}

#[test]
fn sums_take_the_form_of_the_first_part() {
    assert_eq!((q("1Gi") + q("1024")).to_string(), "1048577Ki");
    assert_eq!((q("0") + q("1Gi")).to_string(), "1Gi");
    assert_eq!((q("1") - q("1Gi")).to_string(), "-1073741823");
    assert_eq!((q("1Gi") - q("512Mi")).to_string(), "512Mi");
    assert_eq!(["500m", "250m", "250m"].map(q).into_iter().sum::<Quantity>().to_string(), "1");
    let mut sum = q("1Mi");
    sum += q("1Mi");
    sum -= q("512Ki");
    assert_eq!((sum.to_string().as_str(), (-sum).to_string().as_str()), ("1536Ki", "-1536Ki"));
}

#[test]
fn written_differently_is_equal() {
    assert_eq!(q("1Ki"), q("1024"));
    assert_eq!(q("1e3"), q("1k"));
    assert!(q("1M") < q("1Mi") && q("-1") < q("0"));
}

#[test]
fn made_amounts_and_fields() {
    assert_eq!(Quantity::from_milli(1500).to_string(), "1500m");
    assert_eq!(Quantity::from_bytes(3 << 30).to_string(), "3Gi");
    assert_eq!(Quantity::from_bytes(u64::MAX).value(), i64::MAX);
    assert_eq!(Quantity::from_value(110, Format::DecimalSi).to_string(), "110");
    let mut field = resource::Quantity { string: "0.5".to_owned() };
    assert_eq!(canonicalize(&mut field), Ok(()));
    assert_eq!(field.string, "500m");
    let list = BTreeMap::from([("cpu".to_owned(), field)]);
    assert_eq!(Quantity::of(&list, "cpu"), Quantity::from_milli(500));
    assert!(Quantity::of(&list, "memory").is_zero());
    let mut bad = resource::Quantity { string: "x".to_owned() };
    assert!(canonicalize(&mut bad).is_err() && Quantity::from(&bad).is_zero());
    assert_eq!(resource::Quantity::from(q("0.5Gi")).string, "512Mi");
}

fn any_format() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::DecimalSi), Just(Format::BinarySi), Just(Format::DecimalExponent)]
}

/// Small and large amounts, whole and broken, in all forms.
fn any_quantity() -> impl Strategy<Value = Quantity> {
    (any::<i64>(), 0u32..64, 0u32..10, any_format()).prop_map(|(number, shift, ten, format)| {
        Quantity::new(i128::from(number >> shift) * 10i128.pow(ten), format)
    })
}

proptest! {
    #[test]
    fn text_reads_back_as_the_same_amount(quantity in any_quantity()) {
        let text = quantity.to_string();
        prop_assert_eq!(q(&text), quantity);
        prop_assert_eq!(q(&text).to_string(), text);
    }

    #[test]
    fn order_is_the_order_of_numbers(a in any::<i32>(), b in any::<i32>()) {
        prop_assert_eq!(q(&format!("{a}m")).cmp(&q(&format!("{b}m"))), a.cmp(&b));
        prop_assert_eq!(q(&format!("{a}Ki")).cmp(&q(&format!("{b}e3"))), (i64::from(a) * 1024).cmp(&(i64::from(b) * 1000)));
    }

    #[test]
    fn addition_is_that_of_numbers(a in any::<i32>(), b in any::<i32>()) {
        let sum = q(&format!("{a}m")) + q(&format!("{b}m"));
        prop_assert_eq!(sum.milli(), i64::from(a) + i64::from(b));
        prop_assert_eq!(sum - q(&format!("{b}m")), q(&format!("{a}m")));
        prop_assert_eq!(sum, q(&format!("{b}m")) + q(&format!("{a}m")));
    }

    #[test]
    fn long_numbers_are_read_exactly(number in 0u64..1 << 62, fraction in 0u32..1_000_000_000) {
        let quantity = q(&format!("{number}.{fraction:09}"));
        prop_assert_eq!(quantity.nanos(), i128::from(number) * NANOS_PER_UNIT + i128::from(fraction));
    }

    #[test]
    fn binary_suffixes_are_exact(number in 0u64..1 << 20, power in 0usize..5) {
        let suffix = ["", "Ki", "Mi", "Gi", "Ti"][power];
        let quantity = q(&format!("{number}{suffix}"));
        prop_assert_eq!(i128::from(quantity.value()), i128::from(number) << (10 * power));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-+]?[0-9.]{0,30}[eEinumkKMGTP]{0,2}[-+0-9]{0,4}") {
        if let Ok(quantity) = Quantity::parse(&text) {
            prop_assert_eq!(q(&quantity.to_string()), quantity);
        }
    }
}
