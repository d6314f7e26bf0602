"""The code interpreter's client: state, streams, errors, pictures, charts and contexts."""

from e2b_code_interpreter import Sandbox

sandbox = Sandbox.create(timeout=120)
try:
    sandbox.run_code("x = 1")
    execution = sandbox.run_code("x += 1; x")
    assert execution.text == "2"
    seen = []
    sandbox.run_code("for i in range(3): print(i)", on_stdout=lambda message: seen.append(message.line))
    assert "".join(seen) == "0\n1\n2\n"
    assert sandbox.run_code("1 / 0").error.name == "ZeroDivisionError"
    plot = sandbox.run_code(
        """
import matplotlib.pyplot as plt
plt.bar(["a", "b"], [1, 2])
plt.title("bars")
plt.show()
"""
    )
    assert plot.results[0].png
    assert plot.results[0].chart.title == "bars"
    context = sandbox.create_code_context(cwd="/tmp")
    assert sandbox.run_code("import os; os.getcwd()", context=context).text == "/tmp"
    sandbox.pause()
    assert Sandbox.connect(sandbox.sandbox_id, timeout=120).run_code("x").text == "2"
finally:
    sandbox.kill()
print("all as expected")
