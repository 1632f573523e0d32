/* examples/portal/main.c: portal: the page on which citizens apply and see how far it is. */
#include <stdlib.h>
#include <time.h>

#include "base/cli.h"
#include "base/clock.h"
#include "base/log.h"
#include "examples/fetch.h"
#include "examples/portal/pages.h"

struct args {
	const char *listen, *bayernid, *antrag, *log_format;
	int64_t idle;
	bool secure;
};
#define OPT_STRUCT struct args
/* clang-format off */
static const struct cli_option options[] = {
	OPT(0, "listen",         CLI_STRING,  listen,     "ADDRESS:PORT", "where to serve"),
	OPT(0, "bayernid",       CLI_STRING,  bayernid,   "URL[,URL]...", "the service that signs people in; the first that can be reached"),
	OPT(0, "antrag",         CLI_STRING,  antrag,     "URL[,URL]...", "the service that takes applications; likewise"),
	OPT(0, "idle-time",      CLI_SECONDS, idle,       "DURATION",     "sign out who does nothing for so long"),
	OPT(0, "secure-cookies", CLI_FLAG,    secure,     NULL,           "behind TLS: send cookies over TLS only"),
	OPT(0, "log-format",     CLI_CHOICE,  log_format, "text|json",    "how the log is written to standard error"),
	{0}
};

static const struct http_route routes[] = {
	{ "GET",  "/",                       get_start },
	{ "GET",  "/sign-in",                get_sign_in },
	{ "POST", "/sign-in",                post_sign_in },
	{ "POST", "/sign-out",               post_sign_out },
	{ "GET",  "/apply/{}",               get_apply },
	{ "POST", "/apply/{}",               post_apply },
	{ "GET",  "/find",                   get_find },
	{ "GET",  "/applications/{}",        get_application },
	{ "POST", "/applications/{}/answer", post_answer },
	{ "POST", "/applications/{}/sign",   post_sign },
	{ "POST", "/applications/{}/state",  post_state },
	{ "GET",  "/accessibility",          get_accessibility },
	{ "GET",  "/style.css",              get_style },
	{ "GET",  "/icon.svg",               get_icon },
	{ "GET",  "/healthz",                get_health },
	{ 0 }
};

/* No script runs, nothing comes from elsewhere, nobody frames us, forms go to us only. */
static const char *const headers[] = {
	("Content-Security-Policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
	 "base-uri 'none'; frame-ancestors 'none'"),
	"X-Frame-Options: DENY",
	"Referrer-Policy: same-origin",
	"Permissions-Policy: camera=(), geolocation=(), microphone=()",
	"Cross-Origin-Opener-Policy: same-origin",
	"Cross-Origin-Resource-Policy: same-origin",
	NULL
};
/* clang-format on */

static void defaults(void *args)
{
	*(struct args *)args = (struct args){
		.listen = "127.0.0.1:8080",
		.bayernid = "http://127.0.0.1:8081",
		.antrag = "http://127.0.0.1:8082",
		.log_format = "text",
		.idle = 30 * 60 * (int64_t)NSEC_PER_SEC,
	};
}

static err *run(const struct cli_context *c, int *ret_status UNUSED)
{
	const struct args *args = c->args;
	auto_sessions struct sessions *sessions = NULL;
	struct portal service = {
		.backend = { args->bayernid, args->antrag },
		.secure = args->secure,
	};
	struct http_server server = {
		.name = "portal",
		.routes = routes,
		.headers = headers,
		.error_page = page_error,
		.service = &service,
		.listen = args->listen,
		.body_max = 32 * 1024,
		.threads = 8,
		.requests_per_second = 100,
	};

	TRY(log_open(NULL, str_equal(args->log_format, "json") ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT,
		     LOG_LEVEL_INFO));
	/* The time of Germany as a rule, because an image without tzdata knows no name of a place. */
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	TRY(fetch_setup());
	TRY(sessions_new((unsigned)(args->idle / (int64_t)NSEC_PER_SEC), &sessions));
	service.sessions = sessions;
	return http_serve(&server);
}

int main(int argc, char **argv)
{
	static const struct cli_command command = {
		.name = "portal",
		.operands = "",
		.summary = "The page on which citizens apply and see how far it is",
		.example = "portal --bayernid http://127.0.0.1:8081 --antrag http://127.0.0.1:8082",
		.options = options,
		.args_size = sizeof(struct args),
		.defaults = defaults,
		.run = run,
	};
	static const struct cli_program program = {
		.name = "portal",
		.summary = "The page on which citizens apply and see how far it is",
		.main = &command,
	};

	return cli_main(&program, argc, argv);
}
