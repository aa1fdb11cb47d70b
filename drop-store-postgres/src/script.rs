//! [`Script`]: several statements in one message, and what of it is prepared.

use sqlx::AssertSqlSafe;

use crate::literal::{Literal, spell_to};

/// A statement that every connection prepares when it is opened, and which is planned once by it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement {
    /// What the connection knows it by.
    pub(crate) name: &'static str,
    /// The types of its parameters, in their order.
    pub(crate) types: &'static str,
    /// Its text, with `$n` for parameters.
    pub(crate) sql: &'static str,
}

impl Statement {
    /// What prepares it.
    pub(crate) fn prepare(&self) -> String {
        format!("PREPARE {} ({}) AS {};\n", self.name, self.types, self.sql)
    }
}

/// Several statements in one message.
#[derive(Debug)]
pub(crate) struct Script {
    text: String,
    prepared: bool,
}

impl Script {
    /// An empty one; for a connection that has its statements `prepared`, or one that has not.
    pub(crate) const fn new(prepared: bool) -> Self {
        Self { text: String::new(), prepared }
    }

    /// Adds statements as they are, with each `$n` replaced by the n-th value.
    pub(crate) fn add(&mut self, sql: &str, values: &[Literal<'_>]) -> &mut Self {
        spell_to(&mut self.text, sql, values);
        self
    }

    /// Adds a run of a statement. Where nothing is prepared it is spelled out, and planned anew.
    pub(crate) fn run(&mut self, statement: &Statement, values: &[Literal<'_>]) -> &mut Self {
        if self.prepared {
            self.text.push_str("EXECUTE ");
            self.text.push_str(statement.name);
            self.text.push_str(" (");
            for (index, value) in values.iter().enumerate() {
                self.text.push_str(if index == 0 { "" } else { ", " });
                value.push_to(&mut self.text);
            }
            self.text.push_str(");\n");
        } else {
            spell_to(&mut self.text, statement.sql, values);
            self.text.push_str(";\n");
        }
        self
    }

    /// The message.
    pub(crate) fn message(self) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Literal, Script, Statement};

    #[test]
    fn a_run_says_the_same_prepared_or_spelled_out() {
        let sold = Statement { name: "sold", types: "bigint, bigint", sql: "SELECT $1 = $2" };
        assert_eq!(sold.prepare(), "PREPARE sold (bigint, bigint) AS SELECT $1 = $2;\n");
        let values = [Literal::Integer(1), Literal::Integer(2)];
        let script = |prepared| {
            let mut script = Script::new(prepared);
            script.add("SET a = $1;\n", &values).run(&sold, &values);
            script.message().0
        };
        assert_eq!(script(true), "SET a = 1;\nEXECUTE sold (1, 2);\n");
        assert_eq!(script(false), "SET a = 1;\nSELECT 1 = 2;\n");
    }
}
