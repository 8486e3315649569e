//! Every message of the v1 API, filled at random: it is read by others as we wrote it, by us as others wrote
//! it, and its JSON has the names and forms of the `.proto` files. Seeds are fixed.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod json;
#[cfg(test)]
mod random;
#[cfg(test)]
mod table;
#[cfg(test)]
mod wire;
