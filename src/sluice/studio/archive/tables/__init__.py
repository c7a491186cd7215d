"""The tables of the studio's database; import them from here, so that all are known."""

from sluice.studio.archive.tables.base import Base as Base
from sluice.studio.archive.tables.books import Book as Book
from sluice.studio.archive.tables.books import BookEntry as BookEntry
from sluice.studio.archive.tables.community import Activity as Activity
from sluice.studio.archive.tables.community import Follow as Follow
from sluice.studio.archive.tables.community import Month as Month
from sluice.studio.archive.tables.community import MonthEntry as MonthEntry
from sluice.studio.archive.tables.community import Vote as Vote
from sluice.studio.archive.tables.compositions import Composition as Composition
from sluice.studio.archive.tables.compositions import Model as Model
from sluice.studio.archive.tables.members import Invitation as Invitation
from sluice.studio.archive.tables.members import MailLink as MailLink
from sluice.studio.archive.tables.members import Member as Member
from sluice.studio.archive.tables.members import MemberSession as MemberSession
from sluice.studio.archive.tables.moderation import AbuseReport as AbuseReport
from sluice.studio.archive.tables.moderation import Allowance as Allowance
from sluice.studio.archive.tables.moderation import OutgoingMail as OutgoingMail
from sluice.studio.archive.tables.recordings import ArchiveEvent as ArchiveEvent
from sluice.studio.archive.tables.recordings import ArchiveRecording as ArchiveRecording
from sluice.studio.archive.tables.recordings import Media as Media
from sluice.studio.archive.tables.recordings import event_tunes as event_tunes
from sluice.studio.archive.tables.recordings import recording_tunes as recording_tunes
from sluice.studio.archive.tables.tunes import ArchiveTune as ArchiveTune
from sluice.studio.archive.tables.tunes import Comment as Comment
from sluice.studio.archive.tables.tunes import Setting as Setting
from sluice.studio.archive.tables.tunes import TuneNote as TuneNote
