"""Small tables as people have them, each with its right reading, or with why it has none.

Missing values, names, rows, categories, encodings, JSON lines. Values were worked out by hand.
`nan` is a missing value.
"""

from __future__ import annotations

from math import nan

from sequence.data.readers.nasty_table import NastyTable, read

MANY = "".join(f"{i},{i}\n" for i in range(1, 31))

NASTY_LAYOUTS = [
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
    NastyTable("a column of nothing", "a,b\n1,\n2,\n", read({"a": [1, 2]}, "Left out: b")),
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
    NastyTable(
        "an index with a row written twice",
        ",level\n" + "".join(f"{i},{i % 5}\n" for i in (*range(12), 11, *range(12, 20))),
        read({"level": [float(i % 5) for i in (*range(12), 11, *range(12, 20))]}, "a row index"),
    ),
    NastyTable(
        "a counter without a name is no index",
        ",level\n0,1\n20,2\n20,3\n",
        read({"column 1": [0, 20, 20], "level": [1, 2, 3]}, "is called 'column 1'"),
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
    NastyTable(
        "JSON beyond 2^53 among decimals",
        '{"a":9007199254740993}\n{"a":9007199254740992}\n{"a":1.5}\n',
        read({"a": [9007199254740992, 9007199254740992, 1.5]}, "a: 1 whole number beyond 2^53"),
        suffix=".jsonl",
    ),
    NastyTable(
        "a cell of text after megabytes of plain numbers",
        "a,b\n" + "0.1,12345678\n" * 700_000 + "x,1\n2,9007199254740993\n",
        read(
            {
                "a": [*[0.1] * 700_000, 2],
                "b": [*[12345678] * 700_000, 9007199254740992],
            },
            "b: 1 whole number beyond 2^53",
            skipped=(700_002,),
        ),
    ),
    NastyTable(
        "times that are no dates after megabytes of dates",
        "time,b\n" + "2024-01-01T00:00:00,1\n" * 400_000 + "soon,1\n",
        read({"b": [1] * 400_000}, skipped=(400_002,)),
    ),
]
