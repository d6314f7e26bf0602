"""The asynchronous client: several sandboxes at once."""

import asyncio

from e2b import AsyncSandbox


async def use(number):
    sandbox = await AsyncSandbox.create(timeout=120)
    try:
        await sandbox.files.write("n", str(number))
        result = await sandbox.commands.run("cat n; sleep 0.2")
        assert result.stdout == str(number)
        host = sandbox.get_host(8000)
        assert sandbox.sandbox_id in host
    finally:
        assert await sandbox.kill()


async def main():
    await asyncio.gather(*(use(number) for number in range(4)))
    print("all as expected")


asyncio.run(main())
