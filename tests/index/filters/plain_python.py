"""Filters evaluated in plain Python, letter by letter and value by value."""


def split(key):
    """The steps of a key, read letter by letter; None stands for each element."""
    steps, name, quoted, place = [], "", False, 0
    while place < len(key):
        letter = key[place]
        if quoted and letter == "\\":
            place += 1
            name += key[place]
        elif letter == '"':
            quoted = not quoted
        elif not quoted and letter == ".":
            steps.append(name) if name is not None else None
            name = ""
        elif not quoted and letter == "[":
            if name is not None:
                steps.append(name)
            steps.append(None)
            name = None
            place += 1
        else:
            name += letter
        place += 1
    if name is not None:
        steps.append(name)
    return steps


def reached(value, steps):
    """All values at the end of the steps."""
    if not steps:
        return [value]
    first, *rest = steps
    if first is None:
        return [v for item in value for v in reached(item, rest)] if isinstance(value, list) else []
    return reached(value[first], rest) if isinstance(value, dict) and first in value else []


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def same(value, wanted):
    if isinstance(wanted, bool) or isinstance(value, bool):
        return value is wanted
    return (type(value) is type(wanted) and value == wanted) or (
        is_number(value) and is_number(wanted) and value == wanted
    )


def meets(value, condition):
    if "range" in condition:
        bounds = condition["range"]
        text = isinstance(next(iter(bounds.values())), str)
        if not (isinstance(value, str) if text else is_number(value)):
            return False
        order = {"gt": 1, "gte": 1, "lt": -1, "lte": -1}
        for name, bound in bounds.items():
            sign = (value > bound) - (value < bound)
            if sign != order[name] and not (sign == 0 and name.endswith("e")):
                return False
        return True
    ((kind, wanted),) = condition["match"].items()
    if kind == "value":
        return same(value, wanted)
    if kind == "any":
        return any(same(value, item) for item in wanted)
    return isinstance(value, (str, int, float)) and not any(same(value, item) for item in wanted)


def holds(condition, document, id_):
    if "key" in condition:
        for value in reached(document, split(condition["key"])):
            if any(meets(v, condition) for v in (value if isinstance(value, list) else [value])):
                return True
        return False
    if "is_empty" in condition:
        found = reached(document, split(condition["is_empty"]["key"]))
        return all(value is None or value == [] for value in found)
    if "is_null" in condition:
        found = reached(document, split(condition["is_null"]["key"]))
        return any(value is None for value in found)
    if "has_id" in condition:
        return id_ in condition["has_id"]
    if "nested" in condition:
        steps = split(condition["nested"]["key"])
        if steps[-1] is not None:
            steps.append(None)
        return any(
            isinstance(element, dict) and holds(condition["nested"]["filter"], element, id_)
            for element in reached(document, steps)
        )
    parts = [holds(c, document, id_) for c in condition.get("must", [])]
    if condition.get("should"):
        parts.append(any(holds(c, document, id_) for c in condition["should"]))
    parts += [not holds(c, document, id_) for c in condition.get("must_not", [])]
    least = condition.get("min_should")
    if least is not None:
        met = sum(holds(c, document, id_) for c in least["conditions"])
        parts.append(met >= least["min_count"])
    return all(parts)
