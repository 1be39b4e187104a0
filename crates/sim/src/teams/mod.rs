//! Microsoft Teams: Entra, Graph, Bot Connector, Bot Framework login, subscriptions.
