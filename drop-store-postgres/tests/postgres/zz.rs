#[test]
fn zz() {
    let p: drop_core::model::Price = "0.00".parse().unwrap();
    println!("display {p} get {}", p.get());
    let q: drop_core::model::Price = p.to_string().parse().unwrap();
    println!("{q}");
    println!("{}", p.times(drop_core::model::Units::ONE));
    println!("{}", serde_json::to_string(&p).unwrap());
}
