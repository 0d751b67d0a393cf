"""Shapes of machine credentials. Source: each provider's public documentation of its own prefix; written down here."""

SECRETS: tuple[tuple[str, str], ...] = (
    ("aws_key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"),
    ("github_token", r"\bgh[pousr]_[A-Za-z0-9]{36,251}\b"),
    ("github_pat", r"\bgithub_pat_[A-Za-z0-9_]{22,255}\b"),
    ("gitlab_token", r"\bglpat-[A-Za-z0-9_\-]{20,64}"),
    ("slack_token", r"\bxox[abeprs]-[A-Za-z0-9\-]{10,250}"),
    ("openai_key", r"\bsk-(?:proj-|svcacct-|admin-|ant-|or-)?[A-Za-z0-9_\-]{20,200}"),
    ("google_key", r"\bAIza[0-9A-Za-z_\-]{35}"),
    ("google_oauth", r"\bya29\.[0-9A-Za-z_\-]{20,200}"),
    ("stripe_key", r"\b(?:sk|pk|rk|whsec)_(?:live_|test_)?[0-9A-Za-z]{16,128}\b"),
    ("sendgrid_key", r"\bSG\.[A-Za-z0-9_\-]{16,32}\.[A-Za-z0-9_\-]{32,64}"),
    ("npm_token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi_token", r"\bpypi-[A-Za-z0-9_\-]{50,200}"),
    ("huggingface_token", r"\bhf_[A-Za-z0-9]{30,60}\b"),
    ("handrail_key", r"\bhr_[A-Za-z0-9]{6,40}[._][A-Za-z0-9_\-]{20,100}"),
    ("jwt", r"\beyJ[A-Za-z0-9_\-]{8,2000}\.eyJ[A-Za-z0-9_\-]{8,4000}\.[A-Za-z0-9_\-]{0,1000}"),
    (
        "private_key",
        r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s:,\-]{0,8000}?-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----|(?:\s*[A-Za-z0-9+/=]{16,})*\s*[A-Za-z0-9+/=]*)",
    ),
    ("bearer", r"(?i:\bbearer)\s+[A-Za-z0-9._~+/\-]{20,2000}=*"),
    ("url_password", r"\b[a-z][a-z0-9+.\-]{1,20}://[^\s:/@]{1,80}:[^\s:/@]{3,80}@"),
    (
        "named_secret",
        r"(?i:\b(?:api[ _\-]?key|secret[ _\-]?key|access[ _\-]?key|client[ _\-]?secret|auth[ _\-]?token|access[ _\-]?token|api[ _\-]?token))[\"']?\s*(?:[:=]|is)\s*[\"']?([A-Za-z0-9_\-./+=]{12,200})",
    ),
)
