"""Small tables as people have them, each with its right reading, or with why it has none.

Values were worked out by hand. `nan` is a missing value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan


@dataclass(frozen=True)
class Reading:
    """What a table holds: its inputs by name, and words that the report has to have."""

    columns: Mapping[str, list[float]]
    says: tuple[str, ...] = ()
    skipped: tuple[int, ...] = ()


@dataclass(frozen=True)
class NastyTable:
    """A file's content, the options that it is read with, and its reading or its refusal."""

    name: str
    content: str | bytes
    expected: Reading | str
    options: Mapping[str, object] = field(default_factory=dict)
    suffix: str = ".csv"


def read(columns: Mapping[str, list[float]], *says: str, skipped: tuple[int, ...] = ()) -> Reading:
    return Reading(columns, says, skipped)


MANY = "".join(f"{i},{i}\n" for i in range(1, 31))
LEVELS = {"level": [1.5, 2.25]}

NASTY_TABLES = [
    # Separators
    NastyTable("semicolon", "a;b\n1;2\n3;4\n", read({"a": [1, 3], "b": [2, 4]}, "a semicolon")),
    NastyTable("tab", "a\tb\n1\t2\n", read({"a": [1], "b": [2]}, "a tab"), suffix=".tsv"),
    NastyTable("bar", "a|b\n1|2\n", read({"a": [1], "b": [2]}, "a bar")),
    NastyTable(
        "a title with commas above a table with semicolons",
        "a, b, c;level\n1;2\n3;4\n",
        read({"a, b, c": [1, 3], "level": [2, 4]}, "a semicolon"),
    ),
    NastyTable("commas in quotes", '"a, b";c\n1;2\n', read({"a, b": [1], "c": [2]})),
    NastyTable("blanks between cells", "a b\n1 2\n", r"Say delimiter=' '"),
    NastyTable("blanks, asked for", "a b\n1 2\n", read({"a": [1], "b": [2]}), {"delimiter": " "}),
    NastyTable("blanks around cells", "a , b\n 1 , 2 \n", read({"a": [1], "b": [2]})),
    NastyTable(
        "two separators fit",
        "a,b;c,d\n1,2;3,4\n",
        read({"a,b": [1.2], "c,d": [3.4]}, "a semicolon"),
    ),
    # Decimals
    NastyTable("decimal commas", "t;level\n1;1,5\n2;2,25\n", read({"t": [1, 2], **LEVELS}, "','")),
    NastyTable(
        "decimal commas in quotes", 't,level\n1,"1,5"\n2,"2,25"\n', read({"t": [1, 2], **LEVELS})
    ),
    NastyTable("decimal commas of one column", "level\n1,5\n2,25\n", "line 1 has 1 cell"),
    NastyTable(
        "decimal commas of one column, asked for",
        "level\n1,5\n2,25\n",
        read(LEVELS),
        {"delimiter": ";"},
    ),
    NastyTable(
        "decimal commas without a header",
        "1,5;2,5\n3,5;4,5\n",
        read({"column 1": [1.5, 3.5], "column 2": [2.5, 4.5]}, "No header"),
    ),
    NastyTable(
        "decimal commas and exponents",
        "x;y\n1,5e3;1\n2E-1;2\n",
        read({"x": [1500, 0.2], "y": [1, 2]}),
    ),
    NastyTable(
        "decimal commas and points", "x;y\n1,5;0.5\n2,5;0.7\n", r"'0\.5' and '1,5'|'1,5' and '0\.5'"
    ),
    NastyTable(
        "points and one comma later",
        "x\n" + "1.5\n" * 20 + '"2,5"\n',
        r"\'1\.5\' and \'2,5\'",
    ),
    NastyTable(
        "numbers that begin or end with a point",
        "x,y\n.5,5.\n-.5,+5\n",
        read({"x": [0.5, -0.5], "y": [5, 5]}),
    ),
    # Thousands
    NastyTable(
        "thousands commas and decimals",
        'x\n"1,234.50"\n"2,500.00"\n',
        read({"x": [1234.5, 2500]}, "','"),
    ),
    NastyTable(
        "thousands commas, twice", 'x\n"1,234,567"\n"1,234"\n', read({"x": [1234567, 1234]})
    ),
    NastyTable(
        "thousands or decimals",
        'x\n"1,234"\n"2,500"\n',
        r"'1,234' may be 1234 or 1\.234; say thousands=',' or decimal=','",
    ),
    NastyTable(
        "thousands, asked for",
        'x\n"1,234"\n"2,500"\n',
        read({"x": [1234, 2500]}),
        {"thousands": ","},
    ),
    NastyTable(
        "decimals, asked for", 'x\n"1,234"\n"2,500"\n', read({"x": [1.234, 2.5]}), {"decimal": ","}
    ),
    NastyTable(
        "no comma of thousands", 'x\n"1,234"\n"999"\n', read({"x": [1.234, 999]}), {"thousands": ""}
    ),
    NastyTable(
        "thousands points",
        "x;y\n1.234,5;1\n12.345,25;2\n",
        read({"x": [1234.5, 12345.25], "y": [1, 2]}, "'.'"),
    ),
    NastyTable(
        "points with three digits beside semicolons",
        "x;y\n1.234;1\n2.345;2\n",
        r"may be 1234 or 1\.234",
    ),
    NastyTable(
        "points with three digits beside commas",
        "x,y\n1.234,1\n2.345,2\n",
        read({"x": [1.234, 2.345], "y": [1, 2]}),
    ),
    NastyTable(
        "a zero before three digits",
        "x;y\n0.234;1\n2.345;2\n",
        read({"x": [0.234, 2.345], "y": [1, 2]}),
    ),
    NastyTable(
        "apostrophes", "x,y\n1'234.5,1\n7,2\n", read({"x": [1234.5, 7], "y": [1, 2]}, '"\'"')
    ),
    NastyTable(
        "blanks of thousands", "x;y\n1 234,5;1\n7;2\n", read({"x": [1234.5, 7], "y": [1, 2]})
    ),
    NastyTable(
        "blanks that do not break",
        "x;y\n1\u00a0234;1\n12\u00a0345;2\n",
        read({"x": [1234, 12345], "y": [1, 2]}),
    ),
    NastyTable(
        "narrow blanks", "x;y\n1\u202f234,5;1\n7,5;2\n", read({"x": [1234.5, 7.5], "y": [1, 2]})
    ),
    NastyTable(
        "groups of two digits",
        'x,y\n"12,34,567",1\n"1,00,000",2\n',
        read({"y": [1, 2]}, "x (text)"),
    ),
    # What is no number
    NastyTable("underscores", "x,y\n1_000,1\n2_000,2\n", read({"y": [1, 2]}, "x (text)")),
    NastyTable("hexadecimal", "x,y\n0x10,1\n0x20,2\n", read({"y": [1, 2]}, "x (text)")),
    NastyTable(
        "digits of another script",
        "x,y\n\u0967\u0968,1\n\u0967\u0969,2\n",
        read({"y": [1, 2]}, "x (text)"),
    ),
    NastyTable(
        "one bad cell",
        "a,b\n" + MANY + "x,1\n",
        read({"a": [*range(1, 31)], "b": [*range(1, 31)]}, skipped=(32,)),
    ),
    NastyTable(
        "many bad cells",
        "a,b\n1,1\n2,x\n3,y\n4,4\n5,5\n",
        r"2 of 5 rows cannot be read \(lines 3, 4\)",
    ),
    NastyTable(
        "beyond float64", "a,b\n1,1\n2,1e309\n", r"\.csv:3: column 'b' is infinite or beyond"
    ),
    NastyTable(
        "too large to be squared",
        "a,b\n1,1\n2,-1e200\n",
        r"\.csv:3: column 'b' is infinite or beyond",
    ),
    NastyTable(
        "the word inf",
        "a,b\n" + MANY + "1,inf\n",
        read({"a": [*range(1, 31)], "b": [*range(1, 31)]}, skipped=(32,)),
    ),
    NastyTable(
        "beyond 2^53",
        "x\n9007199254740993\n1\n",
        read({"x": [9007199254740992, 1]}, "1 whole number beyond 2^53"),
    ),
    NastyTable(
        "a counter that float32 would round",
        "x\n1700000001\n1700000020\n",
        read({"x": [1700000001, 1700000020]}),
    ),
    NastyTable(
        "a minus sign of typesetting",
        "x,y\n\u22121.5,1\n2,2\n",
        read({"x": [-1.5, 2], "y": [1, 2]}),
    ),
    # Percent, units, truth
    NastyTable("percent signs", "p\n12%\n15 %\n", read({"p": [12, 15]}, "without its unit, %")),
    NastyTable("units", "t,p\n1,12 kWh\n2,13 kWh\n", read({"t": [1, 2]}, "drop_units=True")),
    NastyTable(
        "units dropped",
        "t,p\n1,12 kWh\n2,13 kWh\n",
        read({"t": [1, 2], "p": [12, 13]}, "kWh"),
        {"drop_units": True},
    ),
    NastyTable(
        "a unit asked for",
        "t,p\n1,12 kWh\n2,13 kWh\n",
        "drop_units=True reads the numbers",
        {"inputs": ["p"]},
    ),
    NastyTable(
        "two units",
        "t,p\n1,12 kWh\n2,13 MWh\n",
        read({"t": [1, 2]}, "p (text)"),
        {"drop_units": True},
    ),
    NastyTable(
        "another unit later",
        "p\n" + "5 m\n" * 20 + "5 km\n",
        read({"p": [5] * 20}, skipped=(22,)),
        {"drop_units": True},
    ),
    NastyTable("currencies", "p\n$5\n$1.20\n", read({"p": [5, 1.2]}), {"drop_units": True}),
    NastyTable(
        "true and false",
        "on,x\nTrue,1\nfalse,2\n,3\n",
        read({"on": [1, 0, nan], "x": [1, 2, 3]}, "read as 1 (true) or 0"),
    ),
    # Missing values
    NastyTable(
        "words for missing values",
        "a,b\n1,NA\nn/a,2\n?,NULL\nNone,4\n",
        read({"a": [1, nan, nan, nan], "b": [nan, 2, nan, 4]}),
    ),
    NastyTable(
        "-999 asked for",
        "a,b\n1,-999\n2,-999.0\n3,4\n",
        read({"a": [1, 2, 3], "b": [nan, nan, 4]}),
        {"missing": ["-999"]},
    ),
    NastyTable(
        "a word asked for",
        "a,b\n1,none seen\n2,3\n4,5\n",
        read({"a": [1, 2, 4], "b": [nan, 3, 5]}),
        {"missing": ["none seen"]},
    ),
    NastyTable("a column of nothing", "a,b\n1,\n2,\n", read({"a": [1, 2], "b": [nan, nan]})),
    NastyTable(
        "empty rows at the end", "a,b\n1,2\n,\n,\n", read({"a": [1], "b": [2]}, "2 empty rows")
    ),
    NastyTable(
        "blank lines", "a,b\n1,2\n\n3,4\n", read({"a": [1, 3], "b": [2, 4]}, "1 blank line")
    ),
    NastyTable("blank lines of one column", "a\n1\n\n3\n", read({"a": [1, 3]}, "write NA")),
    # Comments
    NastyTable("a comment above", "# station 12\na,b\n1,2\n", read({"a": [1], "b": [2]}, "'#'")),
    NastyTable(
        "comments between",
        "a,b\n1,2\n# break\n3,4\n5,6\n",
        read({"a": [1, 3, 5], "b": [2, 4, 6]}, "line 3"),
    ),
    NastyTable(
        "names in the comment",
        "# a,b\n1,2\n3,4\n",
        read({"a": [1, 3], "b": [2, 4]}, "comment before the first row names"),
    ),
    NastyTable("percent comments", "% by a logger\na;b\n1;2\n", read({"a": [1], "b": [2]}, "'%'")),
    NastyTable(
        "comments asked for", "// x\na,b\n1,2\n", read({"a": [1], "b": [2]}), {"comment": "//"}
    ),
    NastyTable(
        "no comments asked for", "#n,b\n1,2\n", read({"#n": [1], "b": [2]}), {"comment": ""}
    ),
    # Names
    NastyTable(
        "no header", "1,2\n3,4\n", read({"column 1": [1, 3], "column 2": [2, 4]}, "No header")
    ),
    NastyTable(
        "years as names",
        "2019,2020,2021\n5,6,8\n",
        r"line 1 \(2019, 2020, 2021\) may be names or values",
    ),
    NastyTable(
        "years as names, said",
        "2019,2020,2021\n5,6,8\n",
        read({"2019": [5], "2020": [6], "2021": [8]}),
        {"header": "yes"},
    ),
    NastyTable(
        "years as values, said",
        "2019,2020,2021\n5,6,8\n",
        read({"column 1": [2019, 5], "column 2": [2020, 6], "column 3": [2021, 8]}),
        {"header": "no"},
    ),
    NastyTable("names twice", "a,a\n1,2\n", "two columns are named 'a'"),
    NastyTable(
        "units below names",
        "t,p\ns,kWh\n1,2\n3,4\n5,6\n",
        r"line 2 holds units or further names \('s'\)",
    ),
    NastyTable(
        "a title above names",
        "Report of May\na,b\n1,2\n3,4\n",
        r"line 1 has 1 cell, most rows after it 2; remove lines|line 1 has 1 cell",
    ),
    NastyTable("an index without a name", ",a\n0,5\n1,6\n", read({"a": [5, 6]}, "row index")),
    NastyTable(
        "an index that pandas named", "Unnamed: 0,a\n0,5\n1,6\n", read({"a": [5, 6]}, "row index")
    ),
    NastyTable(
        "an index asked for",
        ",a\n0,5\n1,6\n",
        read({"column 1": [0, 1], "a": [5, 6]}),
        {"inputs": ["column 1", "a"]},
    ),
    NastyTable(
        "values without a name",
        ",a\n0.5,5\n0.7,6\n",
        read({"column 1": [0.5, 0.7], "a": [5, 6]}, "called 'column 1'"),
    ),
    NastyTable(
        "separators at the ends",
        "a,b,\n1,2,\n3,4,\n",
        read({"a": [1, 3], "b": [2, 4]}, "column 3, without a name and empty"),
    ),
    NastyTable(
        "separators at the ends of rows only", "a,b\n1,2,\n3,4,\n", read({"a": [1, 3], "b": [2, 4]})
    ),
    NastyTable(
        "row names as R writes them",
        "a,b\n1,5,2\n2,6,3\n",
        "line 1 has 2 cells, most rows after it 3",
    ),
    # Rows
    NastyTable(
        "rows of other widths",
        "a,b\n" + MANY + "1\n1,2,3\n",
        read({"a": [*range(1, 31)], "b": [*range(1, 31)]}, skipped=(32, 33)),
    ),
    NastyTable("lines in a cell", 'a,note\n1,"two\nlines"\n2,x\n', read({"a": [1, 2]})),
    NastyTable("quotes in a cell", 'a,note\n1,"say ""x"""\n2,5" pipe\n', read({"a": [1, 2]})),
    NastyTable(
        "a bad row after lines in a cell",
        'a,n\n1,"x\ny"\n' + "2,z\n" * 20 + "q,z\n",
        read({"a": [1] + [2] * 20}, skipped=(24,)),
    ),
    NastyTable("a quote that is not closed", 'a,b\n1,2\n3,"4\n5,6\n7,8\n', "line 3 is not CSV"),
    NastyTable("only a header", "a,b\n", "has no rows of values"),
    NastyTable("nothing", "", "is empty"),
    NastyTable("only blank lines", "\n\n", "has no rows"),
    NastyTable("text only", "a,b,c\nx,y,u\nz,u,v\n", "None of the columns a, b, c is numeric"),
    NastyTable(
        "a constant column", "a,b\n5,1\n5,2\n", read({"a": [5, 5], "b": [1, 2]}, "Constant: a.")
    ),
    # Categories
    NastyTable(
        "text with few values",
        "k,x\nb,1\na,2\nb,3\na,4\n",
        read({"x": [1, 2, 3, 4]}, "k (text with 2 values: b, a; categories= reads them)"),
    ),
    NastyTable(
        "categories",
        "k,x\nb,1\na,2\n,3\n",
        read({"x": [1, 2, 3], "k=a": [0, 1, nan], "k=b": [1, 0, nan]}),
        {"categories": ["k"]},
    ),
    NastyTable(
        "categories of a model",
        "k,x\na,1\nc,2\n",
        read(
            {"x": [1, 2], "k=a": [1, 0], "k=b": [0, 0]},
            "k: values without an input, 0 in all of its inputs: c",
        ),
        {"inputs": ["x", "k=a", "k=b"]},
    ),
    NastyTable(
        "text asked for as numbers",
        "k,x\na,1\nb,2\n",
        "'k' holds text .*categories=",
        {"inputs": ["k"]},
    ),
    # Encodings and ends of lines
    NastyTable("a byte-order mark", b"\xef\xbb\xbfa,b\n1,2\n", read({"a": [1], "b": [2]})),
    NastyTable("UTF-16", "a,b\n1,2\n3,4\n".encode("utf-16"), read({"a": [1, 3], "b": [2, 4]})),
    NastyTable(
        "Windows", b"a,b\r\n1,2\r\n\r\n3,4\r\n", read({"a": [1, 3], "b": [2, 4]}, "1 blank line")
    ),
    NastyTable("an old Macintosh", b"a,b\r1,2\r3,4\r", read({"a": [1, 3], "b": [2, 4]})),
    NastyTable("no end of the last line", b"a,b\n1,2\n3,4", read({"a": [1, 3], "b": [2, 4]})),
    NastyTable(
        "an accent in one byte",
        "d\xe9bit,b\n1,2\n".encode("latin-1"),
        read({"d\xe9bit": [1], "b": [2]}),
        {"encoding": "latin-1"},
    ),
    NastyTable("zero bytes", b"a,b\n1,\x002\n", "control character|not text"),
    # JSON lines
    NastyTable(
        "JSON lines",
        '{"a":1,"b":2.5}\n\n{"b":null,"a":3}\n{"a":4}\n',
        read({"a": [1, 3, 4], "b": [2.5, nan, nan]}),
        suffix=".jsonl",
    ),
    NastyTable("JSON truth", '{"a":true}\n{"a":false}\n', read({"a": [1, 0]}), suffix=".ndjson"),
    NastyTable(
        "numbers as JSON text",
        '{"a":"1,5","t":1}\n{"a":"2,25","t":2}\n',
        read({"a": [1.5, 2.25], "t": [1, 2]}),
        suffix=".jsonl",
    ),
    NastyTable("nested JSON", '{"a":{"b":1}}\n', "'a' holds struct.*must be flat", suffix=".jsonl"),
    NastyTable("lists in JSON", '{"a":[1,2]}\n', "'a' holds list.*must be flat", suffix=".jsonl"),
    NastyTable(
        "JSON of another kind below",
        '{"a":1}\n\n{"a":"x"}\n',
        r"\.jsonl:3: 'a' is text, above it was a number",
        suffix=".jsonl",
    ),
    NastyTable("JSON cut", '{"a":1}\n{"a":', r"\.jsonl:2: not JSON", suffix=".jsonl"),
    NastyTable("JSON in a list", "[1,2]\n", r"\.jsonl:1: expected an object", suffix=".jsonl"),
    NastyTable(
        "JSON beyond float64",
        '{"a":1}\n{"a":1e400}\n',
        r"\.jsonl:2: 'a' is infinite",
        suffix=".jsonl",
    ),
    NastyTable(
        "JSON beyond 2^53",
        '{"a":9007199254740993}\n{"a":1}\n',
        read({"a": [9007199254740992, 1]}, "beyond 2^53"),
        suffix=".jsonl",
    ),
]
