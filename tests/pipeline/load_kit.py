"""A credit model with its files, for the tests of the load stage."""

import functools

from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from qaudit.plugin_host.discovery import PluginHost
from qaudit.sandbox import runner

NUMBERS = ["pirat", "hirat", "lvrat", "unemp", "chist", "mhist"]
TEXTS = ["phist", "selfemp", "condomin", "hschool"]
FORMATS = PluginHost.discover().select("format")
here = functools.partial(runner.run, in_process=True)


def run_here(calls, jobs=2):
    return [here(call.task, call.request, call.arrays, plugins=call.plugins) for call in calls]


def pipeline(final, texts=None):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = texts or make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return make_pipeline(make_column_transformer((numbers, NUMBERS), (texts, TEXTS)), final)
