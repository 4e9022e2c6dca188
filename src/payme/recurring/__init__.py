"""Money every month: subscriptions whose periods are charges."""
