"""How many decimals a currency has (ISO 4217)."""

_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_DECIMALS = dict.fromkeys(_NONE.split(), 0) | dict.fromkeys(_THREE.split(), 3)


def decimals(currency: str) -> int:
    """Return the decimals of a currency: 2, unless its ISO 4217 code is a special one."""
    return _DECIMALS.get(currency, 2)
