"""For teaching: the lecture's task, and exercises that check what a student writes."""

from sluice.lecture import exercises as exercises
from sluice.lecture.quotations import QuotationReader as QuotationReader
from sluice.lecture.quotations import draw_quotations as draw_quotations
from sluice.lecture.quotations import encode_quotations as encode_quotations
from sluice.lecture.quotations import load_quotation_reader as load_quotation_reader
from sluice.lecture.quotations import train_quotation_reader as train_quotation_reader
from sluice.lecture.recall import Recaller as Recaller
from sluice.lecture.recall import draw_symbols as draw_symbols
from sluice.lecture.recall import train_recaller as train_recaller
