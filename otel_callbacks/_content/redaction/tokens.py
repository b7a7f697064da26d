"""Keys and tokens that providers give out, recognised by their beginnings or by marks inside them.

Prefixes, lengths and alphabets are facts; ``docs/redaction.md`` names where each stands.
"""

from otel_callbacks._content.redaction.rule import Rule, has_digit, is_filler, is_mixed, token

W = r"[A-Za-z0-9_-]"
AN = "[A-Za-z0-9]"
HEX = "[0-9a-f]"
ANY_HEX = "[0-9a-fA-F]"
UUID = f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}"
END = "(?![A-Za-z0-9])"


def _is_no_hash(text: str) -> bool:
    return has_digit(text) and not set("GHJKLMNOQRSTUVWXYZ").isdisjoint(text[4:])


def _is_no_filler(text: str) -> bool:
    return not is_filler(text)


def _is_mixed_percent(text: str) -> bool:
    return "%" in text and is_mixed(text)


TOKENS_WITH_JWT: tuple[Rule, ...] = (
    token("mapbox_token", "pk. sk. tk.", rf"{W}{{50,}}\.{W}{{20,}}"),
    token("onepassword_token", "ops_eyJ", r"[A-Za-z0-9+/=_-]{100,}"),
    token("onepassword_key", "A3-", r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}" + END),
)
"""Tokens that hold what looks like a JWT; they are looked for before JWTs."""

_MODELS = (
    token("anthropic_key", "sk-ant-", rf"{W}{{20,}}"),
    token("langfuse_key", "sk-lf- pk-lf-", r"[0-9a-f-]{30,}"),
    token("openai_key", "sk- sess-", rf"{W}{{20,}}", check=has_digit),
    token("openai_ephemeral_key", "ek_", rf"{HEX}{{32,}}{END}"),
    token("google_key", "AIza", rf"{W}{{35}}"),
    token("gemini_key", "AQ.Ab8", rf"{W}{{30,}}"),
    token("bedrock_key", "ABSKQmVkcm9ja bedrock-api-key-YmVkcm9j", r"[A-Za-z0-9+/=&%_.-]{16,}"),
    token("huggingface_token", "hf_ api_org_", rf"{AN}{{30,}}"),
    token("langsmith_key", "lsv2_pt_ lsv2_sk_ ls__", r"[0-9a-f_]{32,}"),
    token("groq_key", "gsk_", rf"{AN}{{40,}}"),
    token("perplexity_key", "pplx-", rf"{AN}{{40,}}"),
    token("xai_key", "xai-", r"[A-Za-z0-9_]{60,}"),
    token("replicate_token", "r8_", rf"{W}{{30,}}", check=has_digit),
    token("nvidia_key", "nvapi-", rf"{W}{{40,}}"),
    token("fireworks_key", "fw_", rf"{AN}{{20,}}", check=is_mixed),
    token("together_key", "tgp_v1_", rf"{W}{{30,}}"),
    token("voyage_key", "pa-", rf"{W}{{40,}}", check=is_mixed),
    token("cerebras_key", "csk-", rf"{AN}{{40,}}"),
    token("runpod_key", "rpa_", rf"{AN}{{40,}}", check=has_digit),
    token("elevenlabs_key", "sk_", rf"{HEX}{{48}}"),
    token("tavily_key", "tvly-", r"[A-Za-z0-9-]{20,}"),
    token("firecrawl_key", "fc-", rf"{HEX}{{32}}{END}"),
    token("brave_key", "BSA", rf"{W}{{28}}(?!{W})", check=is_mixed),
    token("pinecone_key", "pcsk_", r"[A-Za-z0-9_]{40,}"),
    token("jina_key", "jina_", rf"{W}{{40,}}"),
    token("llamacloud_key", "llx-", rf"{W}{{40,}}"),
    token("e2b_key", "e2b_", rf"{HEX}{{40}}{END}"),
    token("apify_token", "apify_api_", rf"{W}{{30,}}"),
)

_CLOUDS = (
    token("google_oauth", "ya29. GOCSPX-", rf"{W}{{20,}}"),
    Rule(
        "google_refresh_token",
        r"(?<![A-Za-z0-9/])1//0[A-Za-z0-9_-]{30,}", ("1//0",), in_run=True, check=has_digit,
    ),
    token("aws_access_key", "AKIA ASIA ABIA ACCA", rf"[A-Z2-7]{{16}}{END}"),
    Rule(
        "aws_secret_key",
        r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        ("AKIA", "ASIA", "aws ", "AWS "), in_run=True, check=is_mixed,
    ),
    Rule("azure_key", rf"{AN}{{52}}JQQJ99{AN}{{20,26}}", ("JQQJ99",), in_run=True),
    Rule(
        "azure_client_secret",
        r"(?<![A-Za-z0-9~])[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{31,34}", ("Q~",), in_run=True,
    ),
    token("alibaba_key", "LTAI", rf"{AN}{{12,24}}{END}", check=has_digit),
    token("digitalocean_token", "dop_v1_ doo_v1_ dor_v1_", rf"{HEX}{{64}}"),
    token("yandex_token", "t1.", rf"{W}{{1,64}}={{0,2}}\.{W}{{80,}}={{0,2}}"),
    token("yandex_key", "AQVN y0_", rf"{W}{{35,}}", check=has_digit),
    token("heroku_key", "HRKU-AA", rf"{W}{{50,}}"),
    token("cloudflare_key", "v1.0- cfk_ cfut_ cfat_", rf"(?:{HEX}{{24}}-{HEX}{{140,}}|{AN}{{40,}}{END})"),
    token("netlify_token", "nfp_ nfc_ nfo_", rf"{AN}{{36,}}"),
    token("fly_token", "fm1a_ fm1r_ fm2_ fo1_", r"[A-Za-z0-9+/=_-]{40,}"),
    token("deno_token", "ddp_ ddw_", rf"{AN}{{36}}{END}"),
    token("scalingo_token", "tk-us-", rf"{W}{{48}}"),
    token("openshift_token", "sha256~", rf"{W}{{43}}(?!{W})"),
    token("aiven_password", "AVNS_", rf"{W}{{15,}}"),
    token("mongodb_secret", "mdb_sa_sk_", rf"{W}{{40}}"),
    token("planetscale_token", "pscale_tkn_ pscale_pw_ pscale_oauth_", r"[A-Za-z0-9_=.-]{32,}"),
    token("supabase_key", "sbp_ sb_secret_", r"[A-Za-z0-9_]{20,}"),
    token("clickhouse_key", "4b1d", rf"{AN}{{38}}{END}", check=is_mixed),
    token("databricks_token", "dapi", rf"{HEX}{{32}}(?:-\d)?{END}"),
    token("defined_networking_token", "dnkey-", r"[A-Za-z0-9=_-]{60,}"),
    token("tailscale_key", "tskey-", r"[a-z]{2,12}-[A-Za-z0-9_]{8,}(?:-[A-Za-z0-9_]{8,})?"),
    token("akamai_token", "akab-", r"[a-z0-9]{16}-[a-z0-9]{16}"),
)  # fmt: skip

_DEVELOPMENT = (
    token("github_token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", "[A-Za-z0-9_]{22,}"),
    token(
        "gitlab_token",
        "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- gloas- glsoat- glimt- glagent- glwt- glffct- GR1348941",
        r"[A-Za-z0-9_=-]{20,}",
    ),
    token("npm_token", "npm_", rf"{AN}{{36}}"),
    token("nuget_key", "oy2", rf"[a-z0-9]{{43}}{END}", check=has_digit),
    token("pypi_token", "pypi-AgE", rf"{W}{{50,}}"),
    token("rubygems_token", "rubygems_", rf"{HEX}{{48}}"),
    token("crates_token", "cio", rf"{AN}{{32}}{END}", check=is_mixed),
    token("clojars_token", "CLOJARS_", rf"{AN}{{60}}"),
    token("docker_token", "dckr_pat_ dckr_oat_", rf"{W}{{20,}}"),
    token("artifactory_key", "AKCp cmVmdGtu", rf"{AN}{{56,}}"),
    token("atlassian_token", "ATATT3 ATCTT3 ATBB", r"[A-Za-z0-9_=+/-]{24,}"),
    token("trello_token", "ATTA", rf"{HEX}{{60,}}"),
    token("postman_key", "PMAK-", rf"{HEX}{{24}}-{HEX}{{34}}"),
    token("doppler_token", "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[A-Za-z0-9_.-]{40,}"),
    token("vault_token", "hvs. hvb. hvr.", rf"{W}{{24,}}"),
    Rule(
        "terraform_token",
        rf"(?<!{AN}){AN}{{14}}\.atlasv1\.[A-Za-z0-9_=-]{{60,}}", (".atlasv1.",), in_run=True, check=_is_no_filler,
    ),
    token("pulumi_token", "pul-", rf"{HEX}{{40}}{END}"),
    token("prefect_token", "pnu_ pnb_", rf"{AN}{{36}}{END}"),
    token("buildkite_token", "bkua_", rf"[a-z0-9]{{40}}{END}"),
    token("circleci_token", "CCIPAT_ CCIPRJ_", rf"{AN}{{22}}_{ANY_HEX}{{40}}"),
    token("harness_token", "pat. sat.", rf"{W}{{22}}\.{AN}{{24}}\.{AN}{{20}}"),
    token("octopus_key", "API-", rf"[A-Z0-9]{{26,34}}{END}", check=_is_no_hash),
    token("sonar_token", "squ_ sqp_ sqa_", rf"{HEX}{{40}}{END}"),
    token("sourcegraph_token", "sgp_ slk_", rf"(?:{ANY_HEX}{{16}}_|local_)?{ANY_HEX}{{40,64}}{END}"),
    token("infracost_key", "ico-", rf"{AN}{{32}}{END}", check=is_mixed),
    token("grafana_token", "glsa_ glc_ eyJrIjoi", r"[A-Za-z0-9+/=_]{32,}"),
    token("newrelic_key", "NRAK- NRII- NRIQ- NRJS- NRBR-", r"[A-Za-z0-9_-]{19,}"),
    token("sentry_token", "sntrys_ sntryu_ sntrya_", r"[A-Za-z0-9+/=_-]{40,}"),
    token("dynatrace_token", "dt0c01. dt0s01. dt0s02. dt0s16.", rf"{AN}{{8,24}}\.{AN}{{64}}"),
    token("posthog_key", "phx_ phs_", r"[A-Za-z0-9_]{40,}"),
    token("launchdarkly_key", "sdk-", UUID + END),
    token("rootly_key", "rootly_", rf"{HEX}{{64}}"),
    token("age_key", "AGE-SECRET-KEY-1", r"[0-9A-Z]{50,}"),
)  # fmt: skip

_SERVICES = (
    token(
        "slack_token",
        "xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- xapp- xwfp-", r"[A-Za-z0-9%-]{10,}", check=has_digit,
    ),
    token(
        "slack_webhook",
        "hooks.slack.com/services/ hooks.slack.com/workflows/ hooks.slack.com/triggers/", r"[A-Za-z0-9/]{30,}",
    ),
    token("teams_webhook", "webhook.office.com/ outlook.office.com/", r"webhook(?:b2)?/[A-Za-z0-9@/-]{60,}"),
    token("discord_webhook", "discord.com/api/webhooks/ discordapp.com/api/webhooks/", rf"\d{{10,}}/{W}{{40,}}"),
    token("zapier_webhook", "hooks.zapier.com/hooks/catch/", r"\d{4,}/[a-z0-9]{5,}"),
    token(
        "discord_token",
        # The base64 of a number.
        "MD MT Mj Mz ND NT Nj Nz OD OT Oj Oz", rf"{W}{{22,26}}\.{W}{{6}}\.{W}{{27,40}}", check=is_mixed,
    ),
    Rule(
        "telegram_token",
        r":(?P<secret>AA[A-Za-z0-9_-]{33})(?<=\d{5}:.{35})(?![A-Za-z0-9_-])", ("AA",), in_run=True,
    ),
    token("stripe_key", "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ whsec_", r"[A-Za-z0-9+/]{16,}"),
    token("square_token", "EAAA", rf"{W}{{60}}(?!{W})"),
    token("square_secret", "sq0atp- sq0csp- sq0idp-", rf"{W}{{22,}}"),
    token("facebook_token", "EAA", rf"{AN}{{80,}}"),
    token("twitter_token", "A" * 20, r"[A-Za-z0-9%]{60,}", check=_is_mixed_percent),
    token("linkedin_secret", "WPL_AP1.", rf"{AN}{{16}}\.{AN}{{6}}={{0,2}}"),
    token("shopify_token", "shpat_ shpca_ shppa_ shpss_ shptka_ shpua_", r"[0-9a-fA-F]{32}"),
    token("plaid_token", "access-sandbox- access-development- access-production-", UUID),
    token("easypost_key", "EZAK EZTK", rf"{AN}{{54}}{END}"),
    token("shippo_token", "shippo_live_ shippo_test_", rf"{ANY_HEX}{{40}}"),
    token("lob_key", "live_ test_ live_pub_ test_pub_", rf"{HEX}{{31,35}}{END}"),
    token("duffel_token", "duffel_test_ duffel_live_", r"[A-Za-z0-9_=-]{40,}"),
    token("flutterwave_key", "FLWSECK_TEST- FLWPUBK_TEST- FLWSECK- FLWPUBK-", r"[0-9a-z]{12,32}(?:-X)?"),
    token("sendgrid_key", "SG.", rf"(?:{W}{{16,32}}\.{W}{{16,64}}|[A-Za-z0-9_=.-]{{66}})"),
    token("brevo_key", "xkeysib- xsmtpsib-", rf"{HEX}{{64}}-{AN}{{16}}"),
    token("resend_key", "re_", rf"{AN}{{8}}_{AN}{{20,}}", check=is_mixed),
    token("twilio_key", "SK", rf"{HEX}{{32}}{END}"),
    token("mailgun_key", "key- pubkey-", rf"{HEX}{{32}}{END}"),
    Rule("mailchimp_key", rf"(?<!{AN}){HEX}{{32}}-us\d{{1,2}}{END}", ("-us",), in_run=True),
    token("intercom_token", "dG9rO", r"[A-Za-z0-9+/]{40,}={0,2}"),
    token("hubspot_token", "pat-na1- pat-na2- pat-eu1- pat-ap1-", UUID),
    token("linear_key", "lin_api_ lin_oauth_", rf"{AN}{{40,}}"),
    token("notion_token", "ntn_ secret_", rf"{AN}{{40,}}"),
    token("airtable_token", "pat", rf"{AN}{{14}}\.{HEX}{{64}}"),
    token("clickup_token", "pk_", r"\d{5,10}_[0-9A-Z]{32}"),
    token("contentful_token", "CFPAT-", rf"{W}{{43}}"),
    token("dropbox_token", "sl.", r"(?:u\.)?[A-Za-z0-9_=-]{130,}"),
    token("typeform_token", "tfp_", r"[A-Za-z0-9_=.-]{40,}"),
    token("readme_key", "rdme_", r"[a-z0-9]{70}"),
    token("frameio_token", "fio-u-", r"[A-Za-z0-9_=-]{64}"),
    token("figma_token", "figd_ figo_ figp_", rf"{W}{{40,}}"),
    token("adobe_secret", "p8e-", rf"[A-Za-z0-9-]{{32}}{END}", check=has_digit),
    token(
        "authress_key",
        "sc_ ext_ scauth_ authress_",
        rf"{AN}{{5,30}}\.{AN}{{4,6}}\.acc[_-][A-Za-z0-9-]{{10,32}}\.[A-Za-z0-9+/_=-]{{30,120}}",
    ),
    token("intra42_secret", "s4t2ud- s4t2af-", rf"{HEX}{{64}}"),
    token("settlemint_token", "sm_pat_ sm_aat_ sm_sat_", rf"{AN}{{16}}{END}"),
)  # fmt: skip

_STORED = (
    Rule(
        "password_hash",
        (
            # A dollar sign first: `re` finds a literal much faster than a choice.
            r"\$(?:2[abxy]\$\d\d\$[./A-Za-z0-9]{53}"
            r"|argon2(?:id|i|d)\$[A-Za-z0-9=,$]{4,80}\$[A-Za-z0-9+/=]{8,128}\$[A-Za-z0-9+/=]{16,128}"
            r"|(?:[156y]|apr1|gy)\$(?:rounds=\d{1,9}\$|[./A-Za-z0-9]{1,8}\$)?[./A-Za-z0-9]{1,32}\$[./A-Za-z0-9]{22,86}"
            r"|(?:(?<=_sha1\$)|(?<=_sha256\$)|(?<=_sha512\$))\d{1,9}\$[A-Za-z0-9+/=]{1,64}\$[A-Za-z0-9+/=]{20,128})"
        ),
        ("$",),
    ),
)  # fmt: skip

TOKENS: tuple[Rule, ...] = (*_MODELS, *_CLOUDS, *_DEVELOPMENT, *_SERVICES, *_STORED)
"""Keys and tokens of providers, and hashes of passwords."""
