"""Small tables as people have them, each with its right reading, or with why it has none.

Separators and numbers. Values were worked out by hand.
`nan` is a missing value.
"""

from __future__ import annotations

from math import nan

from sequence.data.readers.nasty_table import NastyTable, read

MANY = "".join(f"{i},{i}\n" for i in range(1, 31))
LEVELS = {"level": [1.5, 2.25]}

NASTY_NUMBERS = [
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
]
