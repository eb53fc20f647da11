//! The types of personal data: the contract's names, and what taggers call them.

use std::borrow::Cow;

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $precedence:literal;)*) => {
        /// A type that a recogniser finds by itself.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum PiiKind {
            $($(#[$doc])* $variant,)*
        }

        // === impl PiiKind

        impl PiiKind {
            /// Every type that has a recogniser.
            pub const ALL: &[PiiKind] = &[$(PiiKind::$variant,)*];

            /// Its name in `pii_types_allowed`.
            pub const fn as_str(self) -> &'static str {
                match self { $(PiiKind::$variant => $name,)* }
            }

            /// Which of two overlapping finds wins.
            pub(super) const fn precedence(self) -> u8 {
                match self { $(PiiKind::$variant => $precedence,)* }
            }
        }
    };
}

kinds! {
    /// A key of a known service, a signed token, or a private key block. Not in the v0.3 contract.
    ApiKey = "API_KEY", 7;
    /// A user name and password, or a secret parameter, in a URL. Not in the v0.3 contract.
    Credential = "CREDENTIAL", 6;
    /// A payment card number with valid check digit.
    CreditCard = "CREDIT_CARD", 4;
    /// An international bank account number with valid check digits.
    IbanCode = "IBAN_CODE", 5;
    /// A social security number of the United States.
    UsSsn = "US_SSN", 3;
    /// An e-mail address.
    EmailAddress = "EMAIL_ADDRESS", 2;
    /// An IPv4 or IPv6 address.
    IpAddress = "IP_ADDRESS", 2;
    /// A telephone number.
    PhoneNumber = "PHONE_NUMBER", 1;
}

/// Types of the v0.3 contract that only a tagger finds.
const TAGGED: &[&str] = &[
    "AGE",
    "DATE_TIME",
    "DOMAIN_NAME",
    "GPE",
    "NRP",
    "ORGANIZATION",
    "PERSON",
    "STREET_ADDRESS",
    "US_DRIVER_LICENSE",
    "ZIP_CODE",
];

/// What taggers call the contract's types, in upper case with underscores.
const ALIASES: &[(&str, &str)] = &[
    ("ADDRESS", "STREET_ADDRESS"),
    ("BANK_ACCOUNT_IBAN", "IBAN_CODE"),
    ("BUILDING_NUMBER", "STREET_ADDRESS"),
    ("CARD_NUMBER", "CREDIT_CARD"),
    ("CITY", "GPE"),
    ("COUNTRY", "GPE"),
    ("CREDIT_CARD_NUMBER", "CREDIT_CARD"),
    ("CREDITCARDNUMBER", "CREDIT_CARD"),
    ("DATE", "DATE_TIME"),
    ("DATE_OF_BIRTH", "DATE_TIME"),
    ("DOB", "DATE_TIME"),
    ("DOMAIN", "DOMAIN_NAME"),
    ("DRIVER_LICENSE", "US_DRIVER_LICENSE"),
    ("DRIVERS_LICENSE", "US_DRIVER_LICENSE"),
    ("EMAIL", "EMAIL_ADDRESS"),
    ("FIRST_NAME", "PERSON"),
    ("FULL_NAME", "PERSON"),
    ("GIVEN_NAME", "PERSON"),
    ("IBAN", "IBAN_CODE"),
    ("IP", "IP_ADDRESS"),
    ("IPV4", "IP_ADDRESS"),
    ("IPV6", "IP_ADDRESS"),
    ("LAST_NAME", "PERSON"),
    ("LOC", "GPE"),
    ("LOCATION", "GPE"),
    ("NAME", "PERSON"),
    ("ORG", "ORGANIZATION"),
    ("PER", "PERSON"),
    ("PHONE", "PHONE_NUMBER"),
    ("POSTAL_CODE", "ZIP_CODE"),
    ("POSTCODE", "ZIP_CODE"),
    ("SOCIAL_SECURITY_NUMBER", "US_SSN"),
    ("SSN", "US_SSN"),
    ("STATE", "GPE"),
    ("STREET", "STREET_ADDRESS"),
    ("STREET_NAME", "STREET_ADDRESS"),
    ("SURNAME", "PERSON"),
    ("TELEPHONE", "PHONE_NUMBER"),
    ("TIME", "DATE_TIME"),
    ("ZIP", "ZIP_CODE"),
];

/// The contract's name for the type that a tagger calls `label`, its position prefix (`B-`, `I-`, `E-`,
/// `S-`, `L-`, `U-`) dropped; a type that the contract has no name for keeps its own, in upper case.
/// `None` for what marks no entity.
pub fn contract_type(label: &str) -> Option<Cow<'static, str>> {
    let label = label.trim();
    let plain = match label.as_bytes() {
        [b'B' | b'I' | b'E' | b'S' | b'L' | b'U', b'-', _, ..] => &label[2..],
        _ => label,
    };
    let plain = plain.to_ascii_uppercase().replace([' ', '-'], "_");
    if plain.is_empty() || matches!(plain.as_str(), "O" | "NO_PII" | "NONE") {
        return None;
    }
    let alias = ALIASES.binary_search_by(|(alias, _)| (*alias).cmp(plain.as_str())).ok();
    Some(match alias {
        Some(position) => Cow::Borrowed(ALIASES[position].1),
        None => Cow::Owned(plain),
    })
}

/// Every type that the contract or a recogniser names.
pub(crate) fn known_types() -> impl Iterator<Item = &'static str> {
    PiiKind::ALL.iter().map(|kind| kind.as_str()).chain(TAGGED.iter().copied())
}
