/* examples/portal/page.h: one visit: who is there, in which language, and the frame around every page. */
#pragma once
#include <stdbool.h>
#include "examples/html.h"
#include "examples/httpd.h"
#include "examples/portal/backend.h"
#include "examples/portal/session.h"

struct portal {
	struct backend backend;
	struct sessions *sessions;
	bool secure; /* served through TLS: cookies say so */
};

enum language { LANGUAGE_DE, LANGUAGE_EN };

struct page {
	const struct http_request *request;
	struct http_response *response;
	const struct portal *portal;
	struct str *html; /* of the response */
	enum language language;
	char id[SESSION_ID_SIZE];   /* of the visitor's cookie */
	char csrf[SESSION_ID_SIZE]; /* what a form of this visitor carries */
	bool signed_in;
	struct session session; /* when signed in */
	struct string_map form; /* of a POST that page_begin_form() accepted */
};

/* The language's text. */
const char *say(const struct page *p, const char *de, const char *en);
const char *say_words(const struct page *p, const struct words *words);

/* Recognise the visitor; renews the token when half of its time is over; sets the cookies. */
err *page_begin(struct page *p, const struct http_request *r, struct http_response *out) MUST_CHECK;

/* The same for a POST: parses the form and refuses one that did not come from our own page. *ret_good false:
 * the refusal has been written. */
err *page_begin_form(struct page *p, const struct http_request *r, struct http_response *out,
		     bool *ret_good) MUST_CHECK;

/* A value of the form, "" when absent. */
const char *page_value(const struct page *p, const char *name);

/* Head, header and navigation, up to the opened <main>; and the rest. `title` is escaped here. */
void page_open(struct page *p, const char *title);
void page_close(struct page *p);

/* An opened <form method="post"> with its token; the caller closes it. */
void page_form(struct page *p, const char *action_format, const char *action_value);

/* 303 to `location`, so that loading the page again sends nothing twice. */
err *page_redirect(struct page *p, const char *location) MUST_CHECK;

/* A page that says what went wrong and what to do. */
err *page_failure(struct page *p, unsigned status) MUST_CHECK;

/* What antrag or bayernid refused: signs out on 401, else a page. */
err *page_refused(struct page *p, const struct refusal *refusal) MUST_CHECK;

/* Sign out of this portal: session and cookie. */
void page_forget(struct page *p);
err *page_sign_in(struct page *p, const struct session *session) MUST_CHECK;

/* For struct http_server: a page instead of the frame's own errors. */
void page_error(const struct http_request *r, struct http_response *out);

/* <time datetime="...">23. November 2026, 22:16 Uhr</time> in the time of Germany. */
void page_time(struct page *p, const char *rfc3339);
