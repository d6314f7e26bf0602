# Runs in each new Python kernel, before any code of the user's; leaves no name behind.


def _holdfast_startup():
    import json
    import os
    import sys
    import warnings

    shell = get_ipython()
    formatters = shell.display_formatter.formatters
    saved = {}

    def set_variables(text):
        for name, value in json.loads(text).items():
            saved[name] = os.environ.get(name)
            os.environ[name] = value

    def restore_variables():
        while saved:
            name, value = saved.popitem()
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def as_json(value):
        # Not at the start, which it would delay.
        import orjson

        try:
            return orjson.loads(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS))
        except (TypeError, ValueError):
            return None

    def columns(frame):
        try:
            split = json.loads(frame.to_json(orient="split", date_format="iso", default_handler=str))
        except Exception:
            return None
        return {str(name): [row[i] for row in split["data"]] for i, name in enumerate(split["columns"])}

    for kind in (list, dict):
        formatters["application/json"].for_type(kind, as_json)

    from IPython.core.formatters import BaseFormatter
    from IPython.display import display
    from traitlets import ObjectName

    class Data(BaseFormatter):
        format_type = "application/vnd.holdfast.data+json"
        print_method = ObjectName("_repr_holdfast_data_")
        _return_type = (dict,)

    class Chart(BaseFormatter):
        format_type = "application/vnd.holdfast.chart+json"

        # Asked for each value: matplotlib, once imported, takes figures out of every formatter's table.
        def __call__(self, value):
            figures = sys.modules.get("matplotlib.figure")
            if not figures or not isinstance(value, figures.Figure):
                return None
            from e2b_charts import chart_figure_to_dict

            # It reads matplotlib's private parts; the picture is there even where it fails on them. Its warnings are
            # none of the user's.
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return chart_figure_to_dict(value)
            except Exception:
                return {}

    data = Data(parent=shell.display_formatter)
    data.for_type_by_name("pandas.core.frame", "DataFrame", columns)
    data.for_type_by_name("pandas", "DataFrame", columns)
    for formatter in (data, Chart(parent=shell.display_formatter)):
        formatters[formatter.format_type] = formatter
        # The formatters asked are those in this list.
        shell.display_formatter.active_types = [*shell.display_formatter.active_types, formatter.format_type]
    # E2B's `text` is never shortened.
    formatters["text/plain"].max_seq_length = 0
    from PIL import Image

    save = Image.Image.save

    # As in E2B's template, a picture that is saved to a file is shown too.
    def save_and_show(image, file, *arguments, **options):
        if isinstance(file, str):
            display(image)
        return save(image, file, *arguments, **options)

    Image.Image.save = save_and_show
    object.__setattr__(shell, "holdfast_set_variables", set_variables)
    object.__setattr__(shell, "holdfast_restore_variables", restore_variables)


_holdfast_startup()
del _holdfast_startup
