//! Tables as kubectl prints them.

/// A table: columns are at least two spaces apart.
#[derive(Debug, Clone)]
pub struct Table {
    text: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

// === impl Table ===

impl Table {
    /// Reads a table with a header.
    pub fn parse(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let header = lines.next().unwrap_or_default();
        let starts = starts(header);
        let columns = cells(header, &starts);
        let rows = lines.map(|line| cells(line, &starts)).collect();
        Self { text: text.to_owned(), columns, rows }
    }

    /// The columns' titles.
    pub fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// What stands in the first column.
    pub fn names(&self) -> Vec<&str> {
        self.rows.iter().filter_map(|row| row.first()).map(String::as_str).collect()
    }

    /// What stands in this column of the row that begins with `name`.
    ///
    /// # Panics
    /// With the table, if there is no such row or column.
    #[track_caller]
    pub fn cell(&self, name: &str, column: &str) -> &str {
        let row = self.rows.iter().find(|row| row.first().is_some_and(|cell| cell == name));
        let index = self.columns.iter().position(|title| title == column);
        match (row, index) {
            (Some(row), Some(index)) => &row[index],
            _ => panic!("no row {name:?} or no column {column:?} in\n{}", self.text),
        }
    }
}

/// Where the columns of a header begin.
fn starts(header: &str) -> Vec<usize> {
    let bytes = header.as_bytes();
    let is_start = |at: &usize| {
        let before = |n: usize| at.checked_sub(n).is_none_or(|at| bytes[at] == b' ');
        bytes[*at] != b' ' && before(1) && before(2)
    };
    (0..bytes.len()).filter(is_start).collect()
}

fn cells(line: &str, starts: &[usize]) -> Vec<String> {
    let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
    let cell = |(start, end): (&usize, usize)| {
        let chars = line.chars().skip(*start).take(end.saturating_sub(*start));
        chars.collect::<String>().trim().to_owned()
    };
    starts.iter().zip(ends).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_be_empty_or_hold_single_spaces() {
        let table = Table::parse(
            "NAME    NOMINATED NODE   RESTARTS     AGE\n\
             web-1   <none>           2 (3s ago)   5s\n\
             web-2                    0            7s\n",
        );
        assert_eq!(table.columns(), ["NAME", "NOMINATED NODE", "RESTARTS", "AGE"]);
        assert_eq!(table.names(), ["web-1", "web-2"]);
        assert_eq!(table.cell("web-1", "RESTARTS"), "2 (3s ago)");
        assert_eq!(table.cell("web-2", "NOMINATED NODE"), "");
        assert_eq!(table.cell("web-2", "AGE"), "7s");
    }
}
