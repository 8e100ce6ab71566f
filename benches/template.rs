//! Requests that are made beforehand and sent again and again, each time with new random ids.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Length of a UUID as text.
pub const ID_LENGTH: usize = 36;
/// Stands where a request gets its ids.
pub const ID_PLACE: &str = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
/// Stands where a request gets the number of a lead.
pub const LEAD_PLACE: &str = "lead-nnnnnn";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// A request that is sent again and again, each time with new ids.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    ids: Vec<usize>,
    leads: Vec<usize>,
    /// Leads are drawn below this number.
    leads_max: u64,
    /// Whether the id is that of the request before it on the same connection.
    repeats: bool,
}

/// Fast random bits (SplitMix64), seeded by the system.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
    newest_uuid: [u8; 16],
}

// === impl Template ===

impl Template {
    /// A request whose ids are where [`ID_PLACE`] is written.
    pub fn new(request: impl Into<Vec<u8>>) -> Self {
        let bytes: Vec<u8> = request.into();
        let (ids, leads) = (places(&bytes, ID_PLACE), places(&bytes, LEAD_PLACE));
        Self { bytes, ids, leads, leads_max: 1, repeats: false }
    }

    /// A request that names one of so many leads where [`LEAD_PLACE`] is written.
    pub fn of_leads(request: impl Into<Vec<u8>>, leads_max: u64) -> Self {
        Self { leads_max, ..Self::new(request) }
    }

    /// The same, with the id of the request before it.
    pub fn repeating(request: impl Into<Vec<u8>>) -> Self {
        Self { repeats: true, ..Self::new(request) }
    }

    /// Whether it needs a request before it.
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// The request with new ids.
    pub fn fill(&mut self, random: &mut Random) -> &[u8] {
        for &place in &self.ids {
            if let Some(id) = self.bytes.get_mut(place..place + ID_LENGTH) {
                if !self.repeats {
                    random.newest_uuid = random.uuid();
                }
                random.write_newest_uuid(id);
            }
        }
        for &place in &self.leads {
            let lead = random.next() % self.leads_max;
            if let Some(text) = self.bytes.get_mut(place..place + LEAD_PLACE.len()) {
                text.copy_from_slice(lead_name(lead).as_bytes());
            }
        }
        &self.bytes
    }
}

/// The name of a lead, as long as [`LEAD_PLACE`].
pub fn lead_name(number: u64) -> String {
    format!("lead-{number:06}")
}

fn places(bytes: &[u8], what: &str) -> Vec<usize> {
    let windows = bytes.windows(what.len()).enumerate();
    windows.filter_map(|(place, window)| (window == what.as_bytes()).then_some(place)).collect()
}

// === impl Random ===

impl Random {
    pub fn new() -> Self {
        Self { state: RandomState::new().build_hasher().finish(), newest_uuid: [0; 16] }
    }

    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// 16 bytes of a UUIDv4.
    pub fn uuid(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.next().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next().to_le_bytes());
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bytes
    }

    /// The newest UUIDv4 as text, into 36 bytes.
    fn write_newest_uuid(&self, text: &mut [u8]) {
        let mut place = 0;
        for (number, byte) in self.newest_uuid.iter().enumerate() {
            if matches!(number, 4 | 6 | 8 | 10) {
                text[place] = b'-';
                place += 1;
            }
            text[place] = HEX[usize::from(byte >> 4)];
            text[place + 1] = HEX[usize::from(byte & 0x0f)];
            place += 2;
        }
    }
}
