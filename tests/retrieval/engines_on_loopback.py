"""Search engines as small as they can be that still speak their protocols: documents ranked by the words they share with a query.

They refuse what the real ones refuse, in their words: pages beyond the result window, fields that cannot be sorted by,
a wrong key, an index that is not there. `settings` changes them for a test.
"""

import json
import re

from inference.loopback import Reply

from rerank_cli.http.servers import Servers
from rerank_cli.retrieval.engines.engine import Engine, Fields, hint
from rerank_cli.retrieval.retriever import Topic

#: id -> (title, text); a score is the number of words shared, a word in the title counts double.
DOCUMENTS = {
    "d1": ("Ships", "a ship sails the sea"),
    "d2": ("", "ships and more ships"),
    "d3": ("Sea", "the sea is wide"),
    "d4": ("", "the wide sea and the ship"),
}
TOPICS = [Topic(b"q1", "wide sea"), Topic(b"q2", "ship"), Topic(b"q3", "nothing there"), Topic(b"q4", "ships")]
BOTH = Fields(title="title", text="text")
WINDOW, MAX_HITS, MAX_OFFSET = 10_000, 400, 1000


def words(text):
    return set(re.findall(r"\w+", text.lower()))


def ranked(text, documents, fields=("title", "text")):
    """(score, id) of the documents that share a word with a query, best first, equal ones in the order they were stored."""
    asked = words(text)
    weights = {"title": 2.0, "text": 1.0}
    rows = []
    for docid, values in documents.items():
        named = dict(zip(("title", "text"), values))
        # A field that is not mapped is no error to the real ones either.
        score = sum(weights[name] * len(asked & words(named[name])) for name in fields if name in named)
        rows += [(score, docid)] if score else []
    return sorted(rows, key=lambda row: -row[0])


class Elasticsearch:
    """`POST /INDEX/_msearch` and `_field_caps`, as Elasticsearch answers them; `sortable`: fields that a list may be sorted by besides _score.

    title, text and key are its fields; text.english and key.keyword are the same in another analysis, and not stored.
    """

    def __init__(self, documents=DOCUMENTS, index="sea", sortable=("_id",), authorization=None, wrong=None):
        self.documents, self.index, self.sortable = documents, index, sortable
        self.authorization, self.wrong = authorization, wrong

    def __call__(self, seen):
        if self.authorization and seen.headers.get("Authorization") != self.authorization:
            return Reply(
                error("security_exception", "unable to authenticate user for REST request [/_msearch]", 401), 401
            )
        index, _, rest = seen.path.removeprefix("/").partition("/")
        missing = error("index_not_found_exception", f"no such index [{index}]", 404)
        if rest.startswith("_field_caps?fields="):
            return self.kinds(rest.partition("=")[2].split("%2C")) if index == self.index else Reply(missing, 404)
        lines = seen.body.decode().split("\n")
        assert rest == "_msearch" and seen.headers["Content-Type"] == "application/x-ndjson" and lines.pop() == ""
        for how in map(json.loads, lines[::2]):
            assert how.keys() == {"search_type", "preference"} and not how["preference"].startswith("_")
        if index.endswith("*"):
            nothing = {"timed_out": False, "_shards": {"total": 0, "failed": 0}, "hits": {"hits": []}, "status": 200}
            return {"took": 0, "responses": [nothing] * (len(lines) // 2)}
        # One search that cannot be done is no error of the whole request, not even when it is each of them.
        responses = [self.search(json.loads(body)) if index == self.index else missing for body in lines[1::2]]
        return {"took": 1, "responses": self.wrong(seen, responses) if self.wrong else responses}

    @staticmethod
    def kinds(names):
        """Of the fields among `names` that there are; an object is one, but cannot be searched."""
        text = {"text": {"type": "text", "searchable": True, "aggregatable": False}}
        whole = {"object": {"type": "object", "searchable": False, "aggregatable": False}}
        known = {name: text for name in ("title", "text", "text.english", "key", "key.keyword", "meta.title")}
        known["meta"] = whole
        return {"fields": {name: known[name] for name in names if name in known}}

    def search(self, body):
        if body["size"] + body.get("from", 0) > WINDOW:
            told = f"Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{body['size']}]."
            return error("illegal_argument_exception", told, 400)
        ((kind, query),) = body["query"].items()
        if len(words(str(query))) > 1024:
            return too_many_terms(str(query))
        if kind == "match":
            ((name, query),) = query.items()
            fields = [name]
        else:
            fields = query.get("fields", ["title", "text"])

        rows = ranked(query["query"], self.documents, [name.removesuffix(".english") for name in fields])
        after = None
        if "sort" in body:
            assert body["sort"][0] == {"_score": "desc"}
            ((name, way),) = body["sort"][1].items()
            if name not in self.sortable:
                told = f"Fielddata access on the {name} field is disallowed, you can re-enable it by updating the dynamic cluster setting: indices.id_field_data.enabled"
                return error("illegal_argument_exception", told, 400)
            assert way == "desc"
            rows.sort(reverse=True)
            after = body.get("search_after")
        rows = [row for row in rows if after is None or list(row) < after][: body["size"]]
        hits = []
        for score, docid in rows:
            hit = {"_index": self.index, "_id": docid, "_score": score}
            if body["_source"] is not False:
                stored = {**dict(zip(("title", "text"), self.documents[docid])), "key": f"k-{docid}"}
                hit["_source"] = {name: stored[name] for name in body["_source"] if name in stored}
            if "sort" in body:
                hit["sort"] = [score, docid]
            hits.append(hit)
        shards = {"total": 5, "successful": 5, "skipped": 0, "failed": 0}
        return {"took": 1, "timed_out": False, "_shards": shards, "hits": {"hits": hits}, "status": 200}


def too_many_terms(query):
    """The query stands in front of what is wrong with it."""
    cause = {"type": "query_shard_exception", "reason": "failed to create query: " + query, "index": "sea"}
    below = {"type": "too_many_clauses", "reason": "maxClauseCount is set to 1024"}
    shards = [{"shard": 0, "index": "sea", "reason": {**cause, "caused_by": below}}]
    whole = {"root_cause": [cause], "type": "search_phase_execution_exception", "reason": "all shards failed"}
    return {"error": {**whole, "phase": "query", "grouped": True, "failed_shards": shards}, "status": 400}


def error(kind, reason, status):
    """Elasticsearch's error, of a request or of one search among several."""
    cause = {"type": kind, "reason": reason}
    if status == 400:
        return {
            "error": {"root_cause": [cause], "type": "search_phase_execution_exception", "reason": "all shards failed"},
            "status": 400,
        }
    return {"error": {"root_cause": [cause], **cause}, "status": status}


class VespaApplication:
    """`POST /search/` of an application with one schema, `passage`."""

    def __init__(self, documents=DOCUMENTS, profiles=("default", "bm25"), wrong=None, documentid=True):
        self.documents, self.profiles, self.wrong, self.documentid = documents, profiles, wrong, documentid

    def __call__(self, seen):
        asked = seen.json
        if seen.path != "/search/":
            return Reply(b"<html>404</html>", 404)
        yql = re.fullmatch(r"select ([\w, ]+) from (sources \*|passage) where userQuery\(\)", asked["yql"])
        if not yql:
            return self.failed(400, 3, "Illegal query", "Could not create query from YQL: " + asked["yql"])
        assert [asked[f"model.type.{name}"] for name in ("composite", "tokenization", "syntax")] == [
            "or",
            "internal",
            "none",
        ]
        assert asked["timeout"].endswith("s") and asked["ranking.softtimeout.enable"] is False
        if asked["hits"] > MAX_HITS:
            return self.failed(
                400, 3, "Illegal query", f"{asked['hits']} hits requested, configured limit: {MAX_HITS}."
            )
        if asked["offset"] > MAX_OFFSET:
            return self.failed(
                400, 3, "Illegal query", f"Offset of {asked['offset']} requested, configured limit: {MAX_OFFSET}."
            )
        profile = asked.get("ranking.profile", "default")
        if profile not in self.profiles:
            return self.failed(
                400, 3, "Illegal query", f"schema[passage] does not contain requested rank profile '{profile}'"
            )
        rows = ranked(asked["query"], self.documents)[asked["offset"] :][: asked["hits"]]
        children = []
        for score, docid in rows:
            whole = f"id:sea:passage::{docid}"
            stored = {**dict(zip(("title", "text"), self.documents[docid])), "key": f"k-{docid}"}
            stored |= {"documentid": whole} if self.documentid else {}
            fields = {name: stored[name] for name in yql[1].split(", ") if name in stored}
            own = whole if self.documentid else "index:content/0/c81e728d9d4c2f636f067f89"
            children.append({"id": own, "relevance": score, "source": "content", "fields": fields})
        root = {"id": "toplevel", "relevance": 1.0, "fields": {"totalCount": len(children)}}
        root["coverage"] = {"coverage": 100, "documents": len(self.documents), "full": True}
        reply = {"root": {**root, "children": children} if children else root}
        return self.wrong(seen, reply) if self.wrong else reply

    @staticmethod
    def failed(status, code, summary, message):
        error = {"code": code, "summary": summary, "message": message}
        return Reply({"root": {"id": "toplevel", "relevance": 1.0, "errors": [error]}}, status)


class QdrantCollection:
    """`POST /collections/NAME/points/query/batch` over `vectors`, point id -> numbers, compared by `distance`."""

    def __init__(self, vectors, documents=DOCUMENTS, name="sea", key=None, distance="Dot", using=None):
        self.vectors, self.documents, self.name, self.key = vectors, documents, name, key
        self.distance, self.using = distance, using

    def __call__(self, seen):
        if self.key and seen.headers.get("Authorization") != f"Bearer {self.key}":
            return Reply(b"Must provide an API key or an Authorization bearer token", 401)
        if seen.path != f"/collections/{self.name}/points/query/batch":
            return self.failed(404, "Not found: Collection `x` doesn't exist!")
        results = []
        for search in seen.json["searches"]:
            if search.get("using") != self.using:
                return self.failed(400, "Wrong input: Not existing vector name error: ")
            if len(search["query"]) != len(next(iter(self.vectors.values()))):
                return self.failed(400, f"Wrong input: Vector dimension error: got {len(search['query'])}")
            rows = []
            for point, vector in self.vectors.items():
                pairs = list(zip(search["query"], vector))
                score = (
                    sum(a * b for a, b in pairs)
                    if self.distance == "Dot"
                    else sum((a - b) ** 2 for a, b in pairs) ** 0.5
                )
                rows.append((score, point))
            rows.sort(key=lambda row: row[0], reverse=self.distance == "Dot")
            points = []
            for score, point in rows[: search["limit"]]:
                row = {"id": point, "version": 1, "score": score}
                if search["with_payload"]:
                    title, text = list(self.documents.values())[point - 1]
                    stored = {"meta": {"key": f"d{point}"}, "title": title, "text": text}
                    names = {name.split(".")[0] for name in search["with_payload"]}
                    row["payload"] = {name: stored[name] for name in names if name in stored}
                points.append(row)
            results.append({"points": points})
        return {"result": results, "status": "ok", "time": 0.001}

    @staticmethod
    def failed(status, said):
        return Reply({"status": {"error": said}, "time": 0.0}, status)


def engine(dialect, server, notes=None, **settings):
    note = [].append if notes is None else notes.append
    return Engine(dialect, Servers([server.url], hint=hint, note=note, **settings), note)


def lists(found):
    return [list(zip(one.docids.tolist(), one.scores.tolist())) for one in found]
