"""What a use case may see of people."""

from enum import StrEnum


class DataClass(StrEnum):
    """What a use case may see of people. The last five may never be declared (`home.levels.NEVER` says why)."""

    CONTACT = "contact"
    IDENTITY = "identity"
    ORDER = "order"
    USAGE = "usage"
    LOCATION = "location"
    CREDENTIALS = "credentials"
    PAYMENT_CARD = "payment-card"
    BANK_ACCOUNT = "bank-account"
    CREDIT = "credit"
    INSURANCE = "insurance"
    EMPLOYMENT = "employment"
    HEALTH = "health"
    SPECIAL_CATEGORY = "special-category"
    CHILDREN = "children"
    BIOMETRIC = "biometric"
    VOICE = "voice"
    VOICE_EMOTION = "voice-emotion"
    STAFF_EMOTION = "staff-emotion"
    SOCIAL_SCORE = "social-score"
    CARD_VERIFICATION = "card-verification"
    CARD_PIN = "card-pin"
    CARD_TRACK = "card-track"
