//! What each route takes and answers, as plain data: the OpenAPI documents and the documentation pages
//! are made of it and of the route table, so neither can name a route that is not there or miss one.

mod document;
mod page;
pub(crate) mod schema;
mod words;

use serde_json::Value;

pub(crate) use document::document;
pub(crate) use page::{face_page, index_page};

/// The media type of nearly everything.
pub(crate) const JSON: &str = "application/json";

/// What one route takes and answers. Path parameters come from the route's path; the refusals that
/// every route has (no key, no scope, too large, too busy) are added to the document by themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operation {
    pub(crate) summary: &'static str,
    pub(crate) description: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<RequestBody>,
    pub(crate) answers: Vec<Reply>,
    /// Statuses it refuses with, in the face's own form, beside those that every route has.
    pub(crate) refusals: Vec<u16>,
    /// Whether the document names HEAD too; the server answers it wherever there is a GET.
    pub(crate) with_head: bool,
}

/// A parameter outside the body.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// `query`, `path` or `header`.
    pub(crate) place: &'static str,
    pub(crate) required: bool,
    pub(crate) about: String,
    pub(crate) schema: Value,
}

/// The body of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestBody {
    pub(crate) required: bool,
    /// Media types and what each holds.
    pub(crate) content: Vec<(&'static str, Value)>,
}

/// A successful answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) about: &'static str,
    /// The media type and what it holds; `None` without a body.
    pub(crate) content: Option<(&'static str, Value)>,
    /// Headers and what they hold.
    pub(crate) headers: Vec<(&'static str, &'static str, Value)>,
}

impl Operation {
    pub(crate) fn new(summary: &'static str) -> Self {
        Self { summary, ..Self::default() }
    }

    pub(crate) fn about(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }

    fn parameter(mut self, place: &'static str, name: &str, schema: Value, about: &str) -> Self {
        let required = place == "path";
        self.parameters.push(Parameter { name: name.to_owned(), place, required, about: about.to_owned(), schema });
        self
    }

    pub(crate) fn query(self, name: &str, schema: Value, about: &str) -> Self {
        self.parameter("query", name, schema, about)
    }

    pub(crate) fn header(self, name: &str, schema: Value, about: &str) -> Self {
        self.parameter("header", name, schema, about)
    }

    /// What the open part `name` of the route's path holds; a text if this is not said.
    pub(crate) fn path(self, name: &str, schema: Value, about: &str) -> Self {
        self.parameter("path", name, schema, about)
    }

    /// A body of JSON that must be there.
    pub(crate) fn body(self, schema: Value) -> Self {
        self.body_of(true, vec![(JSON, schema)])
    }

    pub(crate) fn body_of(mut self, required: bool, content: Vec<(&'static str, Value)>) -> Self {
        self.body = Some(RequestBody { required, content });
        self
    }

    /// 200 with JSON.
    pub(crate) fn answers(self, about: &'static str, schema: Value) -> Self {
        self.answers_with(Reply { status: 200, about, content: Some((JSON, schema)), headers: Vec::new() })
    }

    pub(crate) fn answers_with(mut self, reply: Reply) -> Self {
        self.answers.push(reply);
        self
    }

    pub(crate) fn refuses(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend_from_slice(statuses);
        self
    }

    pub(crate) fn with_head(mut self) -> Self {
        self.with_head = true;
        self
    }
}
