/* examples/portal/page.c: the frame of every page. */
#include "examples/portal/page.h"

#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "examples/form.h"
#include "examples/token.h"

const char *say(const struct page *p, const char *de, const char *en)
{
	return p->language == LANGUAGE_EN ? en : de;
}

const char *say_words(const struct page *p, const struct words *words)
{
	const char *text = say(p, words->de, words->en);

	return text ? text : "";
}

static const char *cookie_name(const struct portal *portal)
{
	return portal->secure ? "__Host-portal" : "portal";
}

static void set_cookie(struct page *p, const char *name, const char *value, const char *more)
{
	strv_addf(&p->response->headers, "Set-Cookie: %s=%s; Path=/; HttpOnly; SameSite=Strict%s%s", name,
		  value, p->portal->secure ? "; Secure" : "", more);
}

static void choose_language(struct page *p)
{
	const char *wanted = http_query(p->request, "lang");
	const char *kept = http_cookie(p->request, "lang");
	const char *accepted = http_header(p->request, "Accept-Language");

	if (str_equal(wanted, "de") || str_equal(wanted, "en")) {
		set_cookie(p, "lang", wanted, "; Max-Age=31536000");
		kept = wanted;
	}
	/* German unless somebody says otherwise: the language of the authority. */
	if (!str_equal(kept, "de") && !str_equal(kept, "en"))
		kept = accepted && str_starts_with(accepted, "en") ? "en" : "de";
	p->language = str_equal(kept, "en") ? LANGUAGE_EN : LANGUAGE_DE;
}

/* A citizen who is reading must not be thrown out in the middle: the token is renewed in time. */
static err *renew(struct page *p)
{
	int64_t now = clock_real() / (int64_t)NSEC_PER_SEC;
	struct session fresh = { 0 };
	struct refusal refusal = { 0 };

	if (now - p->session.issued < (p->session.expires - p->session.issued) / 2)
		return NULL;
	err *e = backend_renew(&p->portal->backend, p->request->arena, p->session.token, &fresh, &refusal);
	if (e) { /* the token still holds; the next visit tries again */
		log_err(e);
		err_free(e);
		return NULL;
	}
	if (refusal.status)
		return NULL;
	p->session = fresh;
	return sessions_put(p->portal->sessions, p->id, &fresh);
}

err *page_begin(struct page *p, const struct http_request *r, struct http_response *out)
{
	const struct portal *portal = r->service;
	const char *id = http_cookie(r, cookie_name(portal));

	*p = (struct page){ .request = r, .response = out, .portal = portal, .html = &out->body };
	out->type = "text/html; charset=utf-8";
	choose_language(p);
	if (session_id_valid(id)) {
		snprintf(p->id, sizeof(p->id), "%s", id);
		TRY(sessions_get(portal->sessions, r->arena, p->id, &p->session, &p->signed_in));
	} else {
		TRY(session_id_new(p->id));
		set_cookie(p, cookie_name(portal), p->id, "");
	}
	session_csrf(portal->sessions, p->id, p->csrf);
	return p->signed_in ? renew(p) : NULL;
}

err *page_begin_form(struct page *p, const struct http_request *r, struct http_response *out, bool *ret_good)
{
	const char *site = http_header(r, "Sec-Fetch-Site");
	const char *type = http_header(r, "Content-Type");

	*ret_good = false;
	TRY(page_begin(p, r, out));
	if (!type || !str_starts_with(type, "application/x-www-form-urlencoded"))
		return page_failure(p, 415);
	auto_err err *e = form_parse(r->arena, r->body, r->body_len, &p->form);
	if (e)
		return page_failure(p, 400);
	if ((site && !str_equal(site, "same-origin") && !str_equal(site, "none")) ||
	    !session_csrf_valid(p->portal->sessions, p->id, string_map_get(&p->form, "csrf")))
		return page_failure(p, 403);
	*ret_good = true;
	return NULL;
}

const char *page_value(const struct page *p, const char *name)
{
	const char *value = string_map_get(&p->form, name);

	return value ? value : "";
}

static void add_navigation(struct page *p)
{
	struct str *h = p->html;

	html_add(h, "<nav class=\"bar\" aria-label=\"%s\">\n", say(p, "Hauptnavigation", "Main navigation"));
	html_add(h, "<a class=\"brand\" href=\"/\"><svg viewBox=\"0 0 24 24\" width=\"28\" height=\"28\" "
		    "aria-hidden=\"true\">"
		    "<path d=\"M3 10 12 4l9 6M5 10v9m14-9v9M9.5 19v-5h5v5M3 20.5h18\"/></svg>"
		    "<span>Bürgerportal</span></a>\n<ul>\n");
	if (p->signed_in)
		html_add(h, "<li><a href=\"/\">%s</a></li>\n",
			 p->session.role == ROLE_CLERK ? say(p, "Eingänge", "Inbox")
						       : say(p, "Meine Anträge", "My applications"));
	html_add(h, "<li><a href=\"?lang=%s\" lang=\"%s\" hreflang=\"%s\">%s</a></li>\n", say(p, "en", "de"),
		 say(p, "en", "de"), say(p, "en", "de"), say(p, "English", "Deutsch"));
	if (p->signed_in) {
		str_add(h, "<li>");
		page_form(p, "/sign-out", NULL);
		html_add(h, "<button class=\"plain\">%s</button></form></li>\n",
			 say(p, "Abmelden", "Sign out"));
	}
	str_add(h, "</ul>\n</nav>\n");
}

void page_open(struct page *p, const char *title)
{
	struct str *h = p->html;

	html_add(h, "<!doctype html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n",
		 say(p, "de", "en"));
	html_add(h, "<title>%s – Bürgerportal</title>\n", title);
	str_add(h, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		   "<meta name=\"color-scheme\" content=\"light dark\">\n"
		   "<link rel=\"stylesheet\" href=\"/style.css\">\n"
		   "<link rel=\"icon\" href=\"/icon.svg\" type=\"image/svg+xml\">\n</head>\n<body>\n");
	html_add(h, "<a class=\"skip\" href=\"#main\">%s</a>\n<header>\n",
		 say(p, "Zum Inhalt springen", "Skip to content"));
	add_navigation(p);
	str_add(h, "</header>\n<main id=\"main\" tabindex=\"-1\">\n");
}

void page_close(struct page *p)
{
	html_add(p->html, "</main>\n<footer>\n<p>%s</p>\n<ul>\n",
		 say(p, "Ein Beispiel für Stube. Alle Personen und Anträge sind erfunden.",
		     "An example of Stube. All people and applications are made up."));
	html_add(p->html, "<li><a href=\"/accessibility\">%s</a></li>\n</ul>\n</footer>\n</body>\n</html>\n",
		 say(p, "Barrierefreiheit", "Accessibility"));
}

void page_form(struct page *p, const char *action_format, const char *action_value)
{
	const char *hole = strstr(action_format, "{}");

	str_add(p->html, "<form method=\"post\" action=\"");
	str_add_bytes(p->html, action_format, hole ? (size_t)(hole - action_format) : strlen(action_format));
	if (hole) {
		html_text(p->html, action_value);
		str_add(p->html, hole + 2);
	}
	html_add(p->html, "\"><input type=\"hidden\" name=\"csrf\" value=\"%s\">\n", p->csrf);
}

err *page_redirect(struct page *p, const char *location)
{
	str_clear(p->html);
	p->response->status = 303;
	strv_addf(&p->response->headers, "Location: %s", location);
	return NULL;
}

err *page_failure(struct page *p, unsigned status)
{
	static const struct {
		unsigned status; /* 0: every other */
		struct words title, text;
	} rows[] = {
		{ 403,
		  { "Das Formular ist nicht mehr gültig", "The form is no longer valid" },
		  { "Bitte gehen Sie zurück, laden Sie die Seite neu und senden Sie das Formular noch einmal "
		    "ab.",
		    "Please go back, reload the page and send the form again." } },
		{ 404,
		  { "Hier ist nichts", "There is nothing here" },
		  { "Die Seite oder der Antrag wurde nicht gefunden. Bitte prüfen Sie die Adresse oder das "
		    "Aktenzeichen.",
		    "The page or the application was not found. Please check the address or the file "
		    "number." } },
		{ 409,
		  { "Das geht jetzt nicht mehr", "This is no longer possible" },
		  { "Der Antrag wurde inzwischen geändert. Bitte sehen Sie sich seinen Stand noch einmal an.",
		    "The application has been changed in the meantime. Please look at its state again." } },
		{ 413,
		  { "Das war zu viel Text", "That was too much text" },
		  { "Bitte kürzen Sie Ihre Angaben.", "Please shorten what you wrote." } },
		{ 429,
		  { "Bitte warten Sie einen Moment", "Please wait a moment" },
		  { "Es kamen sehr viele Anfragen in kurzer Zeit. Versuchen Sie es in einer Minute noch "
		    "einmal.",
		    "There were very many requests in a short time. Try again in a minute." } },
		{ 503,
		  { "Der Dienst ist gerade nicht erreichbar", "The service cannot be reached at the moment" },
		  { "Ihre Daten sind sicher. Bitte versuchen Sie es in einigen Minuten noch einmal.",
		    "Your data are safe. Please try again in a few minutes." } },
		{ 500,
		  { "Da ist etwas schiefgegangen", "Something went wrong" },
		  { "Der Fehler liegt bei uns und wurde notiert. Bitte versuchen Sie es später noch einmal.",
		    "The fault is ours and has been noted. Please try again later." } },
		{ 0,
		  { "Das hat nicht geklappt", "That did not work" },
		  { "Die Anfrage war so nicht zu verstehen.", "The request could not be understood." } },
	};
	size_t i = 0;

	while (rows[i].status && rows[i].status != status)
		i++;
	str_clear(p->html);
	p->response->status = status;
	p->response->type = "text/html; charset=utf-8";
	page_open(p, say_words(p, &rows[i].title));
	html_add(p->html,
		 "<h1>%s</h1>\n<p class=\"lead\">%s</p>\n<p><a class=\"button\" href=\"/\">%s</a></p>\n",
		 say_words(p, &rows[i].title), say_words(p, &rows[i].text),
		 say(p, "Zur Startseite", "To the start page"));
	page_close(p);
	return NULL;
}

err *page_refused(struct page *p, const struct refusal *refusal)
{
	if (refusal->status != 401)
		return page_failure(p, refusal->status);
	page_forget(p);
	return page_redirect(p, "/sign-in?why=ended");
}

void page_forget(struct page *p)
{
	sessions_drop(p->portal->sessions, p->id);
	p->signed_in = false;
	set_cookie(p, cookie_name(p->portal), "", "; Max-Age=0");
}

/* A new id: whoever planted the old one in this browser gains nothing. */
err *page_sign_in(struct page *p, const struct session *session)
{
	sessions_drop(p->portal->sessions, p->id);
	TRY(session_id_new(p->id));
	TRY(sessions_put(p->portal->sessions, p->id, session));
	set_cookie(p, cookie_name(p->portal), p->id, "");
	return NULL;
}

void page_error(const struct http_request *r, struct http_response *out)
{
	struct page p;
	unsigned status = out->status;
	auto_err err *e = page_begin(&p, r, out);

	if (!e)
		IGNORE(page_failure(&p, status));
}

void page_time(struct page *p, const char *rfc3339)
{
	static const char *const de[] = {
		"Januar", "Februar", "März",	  "April",   "Mai",	 "Juni",
		"Juli",	  "August",  "September", "Oktober", "November", "Dezember"
	};
	static const char *const en[] = { "January",   "February", "March",    "April",
					  "May",       "June",	   "July",     "August",
					  "September", "October",  "November", "December" };
	auto_str struct str text = STR_INIT(128);
	int64_t nsec;
	struct tm tm;

	if (!clock_parse(rfc3339, &nsec)) {
		html_text(p->html, rfc3339);
		return;
	}
	localtime_r(&(time_t){ nsec / (int64_t)NSEC_PER_SEC }, &tm);
	if (p->language == LANGUAGE_DE)
		str_addf(&text, "%d. %s %d, %02d:%02d Uhr", tm.tm_mday, de[tm.tm_mon], tm.tm_year + 1900,
			 tm.tm_hour, tm.tm_min);
	else
		str_addf(&text, "%d %s %d, %02d:%02d", tm.tm_mday, en[tm.tm_mon], tm.tm_year + 1900,
			 tm.tm_hour, tm.tm_min);
	html_add(p->html, "<time datetime=\"%s\">%s</time>", rfc3339, text.data);
}
