"""A credit model with its files, for the tests of the load stage."""

from hosting import hooks_for
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from qaudit.pipeline.stages.load import load
from qaudit.plugin_host.discovery import PluginHost
from qaudit.sandbox import runner

NUMBERS = ["pirat", "hirat", "lvrat", "unemp", "chist", "mhist"]
TEXTS = ["phist", "selfemp", "condomin", "hschool"]
FORMATS = PluginHost.discover().select("format")


def call_here(call):
    """A unit in this process."""
    return runner.run(call.task, call.request, call.arrays, plugins=call.plugins, in_process=True)


def run_here(calls, jobs=2):
    return [call_here(call) for call in calls]


def load_here(request, formats=FORMATS, **options):
    """The load stage with its units in this process."""
    return load(request, hooks_for(formats, call_here, jobs=1), **options)


def pipeline(final, texts=None):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = texts or make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_pipeline(make_column_transformer((numbers, NUMBERS), (texts, TEXTS)), final)
