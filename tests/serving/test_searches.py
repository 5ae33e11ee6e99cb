"""Searches over HTTP answer what the engine answers, and say where the right answers are."""

import pytest

BYTES = {"Content-Type": "application/octet-stream"}


def ask(client, **given):
    answer = client.get("/api/search", params=given)
    assert answer.status_code == 200, answer.text
    return answer.json()


def same(hits, answers):
    assert [hit["id"] for hit in hits] == [hit.id for hit in answers]
    assert [hit["score"] for hit in hits] == pytest.approx([hit.score for hit in answers])
    assert [hit["uncertainty"] for hit in hits] == [hit.uncertainty for hit in answers]
    assert [hit["right"] for hit in hits] == [hit.right for hit in answers]
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))


def test_what_is_served(client, place):
    about = client.get("/api/about").json()
    assert [run["name"] for run in about["runs"]] == ["poly/0 poly", "aligned/0 cosine"]
    assert (about["data"], about["gallery"]) == ("few", "test")
    assert about["items"] == len(place.items) == 12
    assert all(run["text"] and run["file"] for run in about["runs"])


@pytest.mark.parametrize("name", ["poly", "aligned"])
def test_a_text_finds_what_the_engine_finds(client, place, name):
    engine = place.engine(name)
    found = ask(client, run=f"{name}/0 {engine.kind}", text="a red flower", k=5)
    same(found["hits"], engine.by_text("a red flower", 5))
    assert (found["finds"], found["candidates"], found["known"]) == ("items", 12, False)
    assert found["right"] == [] and len(found["hits"]) == 5


def test_known_queries_say_where_the_right_answers_are(client, place):
    engine = place.engine("poly")
    for caption in engine.gallery.queries.caption_ids[:6]:
        found = ask(client, caption=caption, k=1)
        everything = engine.by_caption(caption, 12)
        same(found["hits"], everything[:1])
        assert found["known"]
        right = [(hit.rank, hit.id) for hit in everything if hit.right]
        assert [(hit["rank"], hit["id"]) for hit in found["right"]] == right
        assert {name for _, name in right} == set(engine.right_answers(caption_id=caption))
    text = engine.gallery.queries.texts[0].upper()  # typed by a person, it is the same query
    assert ask(client, text=text)["right"] == ask(client, text=text.lower())["right"] != []


def test_an_item_finds_texts(client, place):
    engine = place.engine("poly")
    for item in (place.items[0], place.items[-1]):
        found = ask(client, item=item, k=4)
        same(found["hits"], engine.by_item(item, 4))
        assert found["finds"] == "texts" and found["known"] and found["right"]
    assert found["query"] == {"id": place.items[-1], "media": None, "plays": False}
    assert ask(client, item=place.items[0])["query"]["media"] == "clip"


def test_similar_items_are_those_of_near_vectors(client, place):
    engine = place.engine("poly")
    means = engine.items.mu / engine.items.mu.norm(dim=1, keepdim=True)
    for row, item in enumerate(place.items):
        cosines = (means @ means[row]).tolist()
        others = sorted(set(range(12)) - {row}, key=lambda other: -cosines[other])
        found = ask(client, similar=item, k=20)
        assert [hit["id"] for hit in found["hits"]] == [place.items[other] for other in others]
        assert [hit["score"] for hit in found["hits"]] == pytest.approx(
            [cosines[other] for other in others], abs=1e-6
        )


@pytest.mark.parametrize("name", ["sgraf", "cross_modal", "dual", "pruned", "pcmepp"])
def test_every_family_is_served(place, name):
    engine = place.engine(name)
    with place.client(name) as client:
        same(ask(client, text="red heart", k=3)["hits"], engine.by_text("red heart", 3))
        same(ask(client, item=place.items[2], k=3)["hits"], engine.by_item(place.items[2], 3))
        similar = [hit["id"] for hit in ask(client, similar=place.items[2], k=50)["hits"]]
        assert sorted(similar) == sorted({*place.items} - {place.items[2]})


@pytest.mark.parametrize("name", ["clip.mp4", "images/{}.webp"])
def test_a_file_finds_texts(client, place, name):
    path = place.root / name.format(place.items[1])
    for run in ("poly", "aligned"):
        engine = place.engine(run)
        answer = client.post(
            "/api/file",
            params={"run": f"{run}/0 {engine.kind}", "k": 3, "name": path.name},
            content=path.read_bytes(),
            headers=BYTES,
        )
        assert answer.status_code == 200, answer.text
        same(answer.json()["hits"], engine.by_file(path, 3))
        assert answer.json()["finds"] == "texts" and not answer.json()["known"]


def test_queries_to_choose_from(client, place):
    texts = place.engine("poly").gallery.queries.texts
    listed = client.get("/api/known", params={"of": "caption", "number": 100}).json()
    assert [one["text"] for one in listed["found"]] == texts and listed["total"] == len(texts)
    word = texts[3].split()[0].upper()
    some = client.get("/api/known", params={"of": "caption", "like": word}).json()["found"]
    assert texts[3] in [one["text"] for one in some]
    assert all(word.lower() in one["text"].lower() for one in some)
    drawn = [
        client.get("/api/known", params={"of": "item", "draw": True, "number": 3}).json()["found"]
        for _ in range(8)
    ]
    assert all(one["id"] in place.items for draw in drawn for one in draw)
    assert len({tuple(one["id"] for one in draw) for draw in drawn}) > 1


def test_mistakes_are_one_line_of_json(client):
    for given, status, message in [
        ({}, 400, "0 queries given; give one of: text, caption, item, similar"),
        ({"text": "a", "item": "b"}, 400, "2 queries given; give one of: text, caption, item, "),
        ({"text": "  "}, 400, "the query is empty; say what to look for"),
        ({"item": "nothing"}, 400, "no item 'nothing' among 32 of the data set"),
        ({"caption": "nothing"}, 400, "no caption 'nothing' among "),
        ({"similar": "nothing"}, 400, "no item 'nothing' in gallery 'test'"),
        ({"text": "a", "run": "pol/0 poly"}, 404, "no run 'pol/0 poly' is served here; did you "),
        ({"text": "a", "k": "many"}, 422, "k: 'many' is not allowed: Input should be a valid int"),
        ({"text": "a", "k": 101}, 422, "k: '101' is not allowed: Input should be less than or eq"),
        ({"text": "a", "k": 0}, 422, "k: '0' is not allowed: Input should be greater than or eq"),
        ({"text": "a" * 1001}, 422, f"text: '{'a' * 59}… is not allowed: String should have at"),
        ({"caption": "a" * 1001}, 422, f"caption: '{'a' * 59}… is not allowed: String should "),
        ({"text": "a " * 400}, 400, "the query has "),
    ]:
        answer = client.get("/api/search", params=given)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/json"
        assert list(answer.json()) == ["error"] and "\n" not in answer.json()["error"]
        assert answer.json()["error"].startswith(message)
    nothing = client.get("/nothing")
    assert nothing.status_code == 404
    assert nothing.json() == {"error": "there is nothing here; the page is at /"}
