/* examples/portal/sign-in.c: signing in and out. */
#include "base/log.h"
#include "examples/portal/pages.h"

static void add_sign_in(struct page *p, const char *user, const char *wrong)
{
	struct str *h = p->html;

	auto_str struct str title = STR_INIT(256);
	str_addf(&title, "%s%s", wrong ? say(p, "Fehler: ", "Error: ") : "", say(p, "Anmelden", "Sign in"));
	page_open(p, title.data);
	html_add(h, "<div class=\"narrow\">\n<h1>%s</h1>\n", say(p, "Anmelden", "Sign in"));
	if (wrong)
		add_notice(p, "bad", wrong);
	else if (str_equal(http_query(p->request, "why"), "ended"))
		add_notice(p, "note",
			   say(p, "Ihre Sitzung ist zu Ende. Bitte melden Sie sich noch einmal an.",
			       "Your session has ended. Please sign in again."));
	else if (str_equal(http_query(p->request, "why"), "out"))
		add_notice(p, "good", say(p, "Sie sind abgemeldet.", "You are signed out."));
	html_add(h, "<p class=\"lead\">%s</p>\n",
		 say(p, "Mit Ihrer BayernID sehen nur Sie Ihre Anträge.",
		     "With your BayernID, only you see your applications."));
	page_form(p, "/sign-in", NULL);
	html_add(h,
		 "<div class=\"field\"><label for=\"user\">%s</label>\n"
		 "<input id=\"user\" name=\"user\" value=\"%s\" autocomplete=\"username\" "
		 "autocapitalize=\"none\""
		 " spellcheck=\"false\" required></div>\n",
		 say(p, "Benutzername", "User name"), user);
	html_add(
		h,
		"<div class=\"field\"><label for=\"password\">%s</label>\n"
		"<input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"current-password\""
		" required></div>\n",
		say(p, "Passwort", "Password"));
	html_add(h, "<button class=\"button\">%s</button>\n</form>\n</div>\n", say(p, "Anmelden", "Sign in"));
	page_close(p);
}

err *get_sign_in(const struct http_request *r, struct http_response *out)
{
	struct page p;

	TRY(page_begin(&p, r, out));
	if (p.signed_in)
		return page_redirect(&p, "/");
	add_sign_in(&p, "", NULL);
	return NULL;
}

err *post_sign_in(const struct http_request *r, struct http_response *out)
{
	struct session session = { 0 };
	struct refusal refusal = { 0 };
	struct page p;
	bool good;

	TRY(page_begin_form(&p, r, out, &good));
	if (!good)
		return NULL;
	TRY(backend_sign_in(&p.portal->backend, r->arena, page_value(&p, "user"), page_value(&p, "password"),
			    &session, &refusal));
	if (refusal.status == 0) {
		TRY(page_sign_in(&p, &session));
		return page_redirect(&p, "/");
	}
	out->status = refusal.status == 429 ? 429 : 403;
	add_sign_in(&p, page_value(&p, "user"),
		    refusal.status == 429
			    ? say(&p, "Zu viele Versuche. Bitte warten Sie eine Minute.",
				  "Too many attempts. Please wait a minute.")
			    : say(&p, "Benutzername oder Passwort stimmt nicht. Bitte prüfen Sie beide.",
				  "User name or password is wrong. Please check both."));
	return NULL;
}

err *post_sign_out(const struct http_request *r, struct http_response *out)
{
	struct page p;
	bool good;

	TRY(page_begin_form(&p, r, out, &good));
	if (!good)
		return NULL;
	page_forget(&p);
	return page_redirect(&p, "/sign-in?why=out");
}
