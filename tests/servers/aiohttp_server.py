"""The application of origin.rs on aiohttp's server, which runs on asyncio: aiohttp_server.py ROOT PLAIN LIMITED"""

import asyncio
import signal
import sys

from aiohttp import web

from application import CHUNKS, LIMITED_OCTETS_MAX, SLOW_S, Sum, count

ROOT, PLAIN, LIMITED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


async def echo(request: web.Request) -> web.Response:
    total = Sum()
    async for part in request.content.iter_chunked(65_536):
        total.add(part)
    return web.Response(text=str(total))


async def mirror(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    async for part in request.content.iter_any():
        await response.write(part)
    await response.write_eof()
    return response


async def chunked(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    for chunk in CHUNKS:
        await response.write(chunk)
    await response.write_eof()
    return response


async def counted(request: web.Request) -> web.Response:
    text = count(ROOT, request.path)
    if request.query_string == "slow":
        await asyncio.sleep(SLOW_S)
    return web.Response(text=text)


async def status(request: web.Request) -> web.Response:
    return web.Response(status=int(request.match_info["status"]))


async def hints(_: web.Request) -> web.Response:
    return web.Response(text="hinted")


@web.middleware
async def bounded(request: web.Request, handler) -> web.StreamResponse:
    if (request.content_length or 0) > LIMITED_OCTETS_MAX:
        raise web.HTTPRequestEntityTooLarge(LIMITED_OCTETS_MAX, request.content_length)
    return await handler(request)


async def refuse_large(request: web.Request) -> None:
    """The handler of `Expect`, which aiohttp asks before the middleware."""
    if (request.content_length or 0) > LIMITED_OCTETS_MAX:
        raise web.HTTPRequestEntityTooLarge(LIMITED_OCTETS_MAX, request.content_length)
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def start(port: int, idle_s: float, **options) -> web.AppRunner:
    expect = {"expect_handler": refuse_large} if options else {}
    application = web.Application(**options)
    application.router.add_static("/files", f"{ROOT}/files")
    application.router.add_route("*", "/app/echo", echo, **expect)
    application.router.add_post("/app/mirror", mirror)
    application.router.add_get("/app/chunked", chunked)
    application.router.add_get("/app/count/{number}", counted)
    application.router.add_get("/app/status/{status}", status)
    application.router.add_get("/app/hints", hints)
    runner = web.AppRunner(application, keepalive_timeout=idle_s, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, shutdown_timeout=0.5).start()
    return runner


async def main() -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    runners = [await start(PLAIN, 30), await start(LIMITED, 1, middlewares=[bounded])]
    await ended.wait()
    for runner in runners:
        await runner.cleanup()


asyncio.run(main())
