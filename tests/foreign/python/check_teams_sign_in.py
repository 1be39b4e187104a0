"""MSAL against the simulated Entra: app tokens, people's tokens, refresh, refusals."""

from judge import TEAMS, check, finish, holds, same
from microsoft import BOT, GRAPH, PERSON_SCOPES, application, sign_in

with check("client credentials for Graph and for the Bot Connector"):
    for scopes in (GRAPH, BOT):
        answer = application().acquire_token_for_client(scopes)
        holds(answer.get("token_type") == "Bearer" and answer["expires_in"] > 60, answer)

with check("a second call is answered from MSAL's cache"):
    app = application()
    first = app.acquire_token_for_client(GRAPH)
    second = app.acquire_token_for_client(GRAPH)
    same((second["access_token"], second["token_source"]), (first["access_token"], "cache"))

with check("a wrong secret and an unknown app are refused with Entra's codes"):
    answer = application(secret="wrong").acquire_token_for_client(GRAPH)
    same((answer["error"], answer["error_codes"]), ("invalid_client", [7000215]))
    answer = application(app_id="00000000-1111-2222-3333-444444444444").acquire_token_for_client(GRAPH)
    same((answer["error"], answer["error_codes"]), ("unauthorized_client", [700016]))

with check("a person signs in: code with PKCE, checked id token, refresh token"):
    app, answer = sign_in("dana")
    claims = answer["id_token_claims"]
    same((claims["oid"], claims["tid"]), (TEAMS["people"]["dana"], TEAMS["tenant"]))
    holds(set(PERSON_SCOPES) <= {scope.split("/")[-1] for scope in answer["scope"].split()}, answer["scope"])
    account = app.get_accounts()[0]
    same(account["local_account_id"], TEAMS["people"]["dana"])
    silent = app.acquire_token_silent(PERSON_SCOPES, account, force_refresh=True)
    holds(silent and silent["access_token"] != answer["access_token"], silent)

with check("a code is good once"):
    app = application()
    from microsoft import REDIRECT, follow

    flow = app.initiate_auth_code_flow(PERSON_SCOPES, redirect_uri=REDIRECT, login_hint=TEAMS["people"]["emre"])
    back = follow(flow["auth_uri"])
    holds("access_token" in app.acquire_token_by_auth_code_flow(dict(flow), dict(back)), "the first time")
    again = application().acquire_token_by_auth_code_flow(dict(flow), dict(back))
    same(again["error"], "invalid_grant")

finish()
